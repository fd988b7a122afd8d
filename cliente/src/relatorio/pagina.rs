//! A página HTML de uma simulação: um arquivo só, sem rede e sem scripts. Diz os fatos; não julga nem mede.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use askama::Template;
use protocolo::terminal::{contar, hora_do_relogio};

use super::relato::Relatorio;
use crate::auditoria::TOLERANCIA_DO_AVISO;
use crate::auditoria::regra::{Aviso, Regra};
use crate::auditoria::veredito::{Estoque, Veredito};
use crate::exigencia::Conferida;
use crate::historia::resumo::{NOMES_DOS_PERCENTIS, Percentis, PorComando, Resumo, das_chegadas};
use crate::historia::vivido::Conexao;
use crate::opcoes::Opcoes;
use crate::opcoes::carga::por_extenso;
use crate::relatorio::contradicao::Contradicao;
use crate::relatorio::graficos::{Dados, Tela};
use crate::tempo::{como_se_pede, formatar};

const VIOLACOES_NA_PAGINA: usize = 20;

impl Relatorio<'_> {
    /// A página HTML: um arquivo só, sem rede e sem scripts.
    pub fn html(&self) -> String {
        let Relatorio { opcoes, resumo, veredito, .. } = *self;
        let violacoes = veredito.violacoes.iter().take(VIOLACOES_NA_PAGINA);
        let mostradas = match veredito.violacoes.len() {
            1 => "Uma.".into(),
            n if n <= VIOLACOES_NA_PAGINA => format!("São {n}, na ordem em que apareceram."),
            n => format!("São {n}; aqui, as primeiras {VIOLACOES_NA_PAGINA} a aparecer."),
        };
        let pagina = Pagina {
            servidor: opcoes.servidores.join(", "),
            usuarios: contar(resumo.usuarios, "usuário", "usuários"),
            quando: data_e_hora(),
            duracao: formatar(self.resumo.duracao),
            comando: self.comando,
            selo: match veredito.estoque() {
                Estoque::Consistente => ("bom", "CONSISTENTE"),
                Estoque::Inconsistente => ("ruim", "INCONSISTENTE"),
                Estoque::SemVeredito => ("ruim", "SEM VEREDITO"),
            },
            aviso: (
                if veredito.aviso().errado() { "ruim" } else { "bom" },
                veredito.aviso().palavras(),
            ),
            frase: self.frase(),
            frase_do_aviso: veredito.frase_do_aviso(),
            resumo,
            veredito,
            descumpriu: self.exigencias.iter().any(|exigencia| !exigencia.cumprida),
            exigencias: self.exigencias,
            numeros: numeros(resumo),
            chegadas: resumo.chegadas.as_ref().map(das_chegadas),
            contradicoes: mostradas,
            violacoes: violacoes.map(Contradicao::de).collect(),
            figuras: self.figuras(),
            percentis: NOMES_DOS_PERCENTIS,
            latencias: resumo
                .tabela_das_latencias()
                .into_iter()
                .filter_map(|(nome, percentis)| Some((nome, percentis?)))
                .map(|(nome, p)| (nome, p.amostras, p.tempos().map(formatar)))
                .collect(),
            afirmacoes: self.afirmacoes(),
            parametros: self.parametros(),
        };
        // O modelo foi conferido ao compilar, e escrever em uma String não falha.
        pagina.render().unwrap_or_default()
    }

    fn frase(&self) -> String {
        if let Some(primeira) = self.veredito.primeira(true) {
            let quem = if self.opcoes.servidores.len() > 1 {
                "Os servidores se contradisseram"
            } else {
                "O servidor se contradisse"
            };
            return format!("{quem}. A primeira vez: {primeira}.");
        }
        if let Err(porque) = &self.veredito.vendas {
            return format!("Das vendas nada se pode dizer: {porque}.");
        }
        let Resumo { vendas, recusas, consultas, .. } = *self.resumo;
        format!(
            "Em {}, {} e {}, nada que um servidor certo não faria.",
            contar(consultas as usize, "consulta", "consultas"),
            contar(vendas as usize, "venda", "vendas"),
            contar(recusas as usize, "recusa", "recusas")
        )
    }

    /// O que o veredito diz, e o que não pode dizer.
    fn afirmacoes(&self) -> Vec<&'static str> {
        let sozinha = self.opcoes.estoque.is_some();
        let mut afirmacoes = Vec::new();
        if !self.veredito.violacoes.is_empty() {
            afirmacoes.push(
                "Cada contradição acima é certa: nenhum servidor correto responde assim, seja qual for a \
                 demora da rede.",
            );
        }
        match self.veredito.aviso() {
            Aviso::Certo => afirmacoes.push(
                "Quem estava conectado no esgotamento ouviu o AVISO uma vez, e ninguém o ouviu antes da \
                 hora.",
            ),
            Aviso::NaoJulgado => afirmacoes.push("Do AVISO não se afirma nada: não houve como julgá-lo."),
            _ => afirmacoes.push(
                "O AVISO é um extra (§9): o que há de errado com ele não diz que o estoque está errado.",
            ),
        }
        if self.opcoes.servidores.len() > 1 {
            afirmacoes.push(
                "Os servidores vendem um só estoque, e a ordem das vendas vale entre eles. O AVISO é de cada um, e só \
                 se cobra o de quem se viu saber do esgotamento.",
            );
        }
        match self.veredito.estoque() {
            Estoque::Consistente => {}
            Estoque::Inconsistente => return afirmacoes,
            Estoque::SemVeredito => {
                afirmacoes.push(
                    "Não é um \"está certo\": sem nenhuma venda e nenhuma recusa que se entendam, do estoque \
                     não se afirma nada.",
                );
                return afirmacoes;
            }
        }
        afirmacoes.extend([
            "Nenhuma unidade foi vendida duas vezes e o estoque nunca ficou negativo.",
            "Há uma ordem única de vendas, consultas e recusas que explica tudo o que os usuários ouviram, \
             cada operação entre o envio e a resposta dela.",
        ]);
        afirmacoes.push(if sozinha {
            "Só esta multidão comprou (--estoque): toda unidade que saiu teve comprador, e toda recusa era \
             devida."
        } else {
            "Não se sabe se outros compravam ao mesmo tempo: sem --estoque, não se afirma que toda unidade \
             teve comprador nem que toda recusa era devida."
        });
        afirmacoes
    }

    fn parametros(&self) -> Vec<(&'static str, String)> {
        let mut parametros = vec![
            ("servidor", self.opcoes.servidores.join(", ")),
            ("usuários", self.opcoes.usuarios.to_string()),
        ];
        parametros.extend(self.parametros_do_laco());
        parametros.extend([
            (
                "conexões",
                if self.opcoes.reconectar { "uma por ciclo" } else { "uma por usuário" }.into(),
            ),
            ("compras numeradas", if self.opcoes.pedidos { "sim" } else { "não" }.into()),
            ("fim de linha", self.simulacao.fim_de_linha.nome().into()),
            ("threads", self.opcoes.threads.unwrap_or(self.opcoes.usuarios).to_string()),
            ("semente", self.resumo.semente.to_string()),
        ]);
        parametros.extend(self.opcoes.estoque.map(|n| ("estoque ao abrir", n.to_string())));
        parametros
    }

    fn parametros_do_laco(&self) -> Vec<(&'static str, String)> {
        if let Some(etapas) = self.opcoes.carga.etapas() {
            return vec![("chegadas (laço aberto)", por_extenso(etapas))];
        }
        let Opcoes { ciclos, decisao, escuta, acelerar, .. } = self.opcoes;
        vec![
            ("ciclos de cada um", de_a(ciclos.de.to_string(), ciclos.ate.to_string())),
            ("decisão", de_a(como_se_pede(decisao.de), como_se_pede(decisao.ate))),
            ("escuta", de_a(como_se_pede(escuta.de), como_se_pede(escuta.ate))),
            ("esperas divididas por", acelerar.to_string().replace('.', ",")),
            ("chegadas espalhadas por", como_se_pede(self.opcoes.carga.rampa())),
        ]
    }

    /// Os sinais que há no desenho: no laço aberto ninguém decide nem escuta.
    fn sinais_dos_usuarios(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let aberto = self.opcoes.carga.etapas().is_some();
        let ha = |(_, cor, _): &(_, &str, _)| !aberto || !matches!(*cor, "decisao" | "escuta");
        SINAIS_DOS_USUARIOS.into_iter().filter(ha).collect()
    }

    /// O que a curva do AVISO conta e, se ela não chega a 100%, quem são os outros.
    fn legenda_do_aviso(&self) -> String {
        let curva = "A fração dos conectados no esgotamento que já o tinha ouvido, a contar do primeiro sinal dele.";
        let zero = self.dados.primeiro_sinal().unwrap_or_default();
        let acusadas = self.veredito.violacoes.iter().filter(|v| v.regra == Regra::AvisoPerdido);
        let acusadas: HashSet<(usize, Duration)> =
            acusadas.filter_map(|v| v.provas.first()).map(|p| (p.usuario, p.inicio)).collect();
        let motivo = |usuario, conexao: &Conexao| match conexao.fechou {
            _ if acusadas.contains(&(usuario, conexao.conectou)) => {
                ("estava e nada chegou", "estavam e nada chegou")
            }
            _ if conexao.outros_avisos.iter().any(|aviso| *aviso >= zero) => {
                ("ouviu um AVISO em outras palavras", "ouviram um AVISO em outras palavras")
            }
            Some(fim) if fim <= zero + TOLERANCIA_DO_AVISO => {
                ("saiu logo depois do esgotamento", "saíram logo depois do esgotamento")
            }
            _ => (
                "pode ter sido atendido só depois do esgotamento",
                "podem ter sido atendidos só depois do esgotamento",
            ),
        };
        let mut contas: BTreeMap<_, usize> = BTreeMap::new();
        for (usuario, conexao) in self.dados.sem_aviso(zero) {
            *contas.entry(motivo(usuario, conexao)).or_default() += 1;
        }
        let surdos = contas.values().sum();
        if surdos == 0 {
            return curva.into();
        }
        let partes = contas.iter().map(|((um, muitos), quantos)| match quantos {
            // Um motivo só é o de todos: o número já foi dito.
            todos if *todos == surdos => (if surdos == 1 { *um } else { *muitos }).to_owned(),
            alguns => contar(*alguns, um, muitos),
        });
        let partes = partes.collect::<Vec<_>>().join(", ");
        format!("{curva} {}: {partes}.", contar(surdos, "não ouviu", "não ouviram"))
    }

    /// De que conta a latência que se desenha.
    fn legenda_das_latencias(&self) -> &'static str {
        if self.opcoes.carga.etapas().is_some() {
            "A fração das respostas que não passou de cada tempo, a contar da hora marcada do pedido, e não do envio; o \
             tempo em escala logarítmica."
        } else {
            "A fração das respostas que não passou de cada tempo, a contar do envio; o tempo em escala logarítmica."
        }
    }

    fn legenda_da_vazao(&self) -> String {
        match self.opcoes.carga.etapas() {
            None => "Do começo à última resposta.".into(),
            Some(etapas) => {
                let taxas = por_extenso(etapas);
                format!("Do começo à última resposta. Em média, marcaram-se {taxas}.")
            }
        }
    }

    /// No laço aberto, a partir de quando se marcaram quantas chegadas por segundo, em média.
    fn chegadas_por_segundo(&self) -> Vec<(Duration, f64)> {
        let comecaram = self.resumo.chegadas.filter(|chegadas| chegadas.marcadas > 0);
        let (Some(chegadas), Some(etapas)) = (comecaram, self.opcoes.carga.etapas()) else {
            return Vec::new();
        };
        let mut quando = chegadas.comecaram;
        let mut degraus = Vec::new();
        for etapa in etapas {
            degraus.push((quando, etapa.taxa_por_s));
            quando = quando.saturating_add(etapa.duracao);
        }
        degraus.push((quando, 0.0));
        degraus
    }

    fn figuras(&self) -> Vec<Figura> {
        let dados = self.dados;
        let figura = |titulo, legenda: String, chave, desenhar: &dyn Fn(Tela) -> String| {
            let (larga, estreita) = (desenhar(Tela::Larga), desenhar(Tela::Estreita));
            (!larga.is_empty()).then_some(Figura { titulo, legenda, chave, larga, estreita })
        };
        let negativo = dados.vendas.iter().any(|venda| venda.restante < 0);
        let marcadas = self.chegadas_por_segundo();
        let abaixo = negativo.then_some(("●", "ruim", "venda abaixo de zero"));
        [
            figura(
                "O estoque, venda a venda",
                "Cada ponto é uma venda: o que restou, e o primeiro instante em que ela pode ter acontecido.".into(),
                abaixo.into_iter().collect(),
                &|tela| dados.estoque(tela),
            ),
            figura(
                "O que cada usuário viveu",
                legenda_dos_usuarios(self.dados, self.simulacao.historias.len()),
                self.sinais_dos_usuarios(),
                &|tela| dados.usuarios(tela),
            ),
            figura(
                "Como o AVISO se espalhou",
                self.legenda_do_aviso(),
                vec![],
                &|tela| dados.espalhamento(tela),
            ),
            figura(
                "Quanto demoraram as respostas",
                self.legenda_das_latencias().into(),
                vec![("▬", "consulta", "CONSULTAR"), ("▬", "compra", "COMPRAR")],
                &|tela| dados.latencias(tela),
            ),
            figura(
                "Respostas por segundo",
                self.legenda_da_vazao(),
                if marcadas.is_empty() { vec![] } else { SINAIS_DA_VAZAO.into() },
                &|tela| dados.vazao(tela, &marcadas),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// O que se desenha de cada usuário: o sinal, a cor e o que significam.
/// Os sinais do desenho dos usuários, a cor de cada um e o que significam.
pub(crate) const SINAIS_DOS_USUARIOS: [(&str, &str, &str); 7] = [
    ("─", "conexao", "conectado"),
    ("●", "consulta", "CONSULTAR"),
    ("▬", "decisao", "decidindo"),
    ("▬", "escuta", "escutando"),
    ("●", "compra", "comprou"),
    ("●", "recusa", "ouviu que esgotou"),
    ("▲", "aviso", "AVISO"),
];

/// Os do desenho da vazão, no laço aberto.
const SINAIS_DA_VAZAO: [(&str, &str, &str); 2] =
    [("▬", "consulta", "respostas"), ("▬", "recusa", "chegadas marcadas")];

/// Quem aparece no desenho, e que trecho da simulação.
pub(crate) fn legenda_dos_usuarios(dados: &Dados<'_>, todos: usize) -> String {
    let desenhados = dados.amostra.len();
    let quem = if desenhados < todos {
        format!("{desenhados} dos {todos} usuários")
    } else {
        "Todos os usuários".into()
    };
    let janela = dados.janela();
    let de = match janela.start {
        Duration::ZERO => "do começo".into(),
        inicio => format!("de {}", formatar(inicio)),
    };
    let risco = dados.esgotamento.map_or("", |_| " A linha vertical é o esgotamento.");
    format!("{quem}, {de} a {} da simulação.{risco}", formatar(janela.end))
}

/// Uma faixa sorteada, como se lê; com as pontas iguais, um valor só.
fn de_a(de: String, ate: String) -> String {
    if de == ate { de } else { format!("de {de} a {ate}") }
}

/// A data e a hora, em UTC.
pub fn data_e_hora() -> String {
    hora_sem_fuso().replace('T', " ") + " UTC"
}

/// A data e a hora, em UTC, como os programas que não querem o fuso as leem: `2026-02-24T10:30:00`.
pub fn hora_sem_fuso() -> String {
    humantime::format_rfc3339_seconds(hora_do_relogio()).to_string().replace('Z', "")
}

fn numeros(resumo: &Resumo) -> Vec<(&'static str, String)> {
    let ciclos = if resumo.ciclos < resumo.ciclos_previstos {
        format!("{} de {}", resumo.ciclos, resumo.ciclos_previstos)
    } else {
        resumo.ciclos.to_string()
    };
    let p99 = |percentis: Option<Percentis>| percentis.map_or("-".into(), |p| formatar(p.p99));
    let soma = |pedidos: &PorComando<u64>| (pedidos.consultar + pedidos.comprar).to_string();
    let mut numeros = vec![
        ("usuários ao mesmo tempo", resumo.pico.to_string()),
        ("ciclos", ciclos),
        ("vendas", resumo.vendas.to_string()),
        ("recusas", resumo.recusas.to_string()),
        ("consultas", resumo.consultas.to_string()),
        ("respondidos de outro modo", soma(&resumo.de_outro_modo.pedidos)),
        ("sem resposta", soma(&resumo.sem_resposta)),
        ("AVISOs", resumo.avisos.to_string()),
        ("falhas", resumo.falhas.values().sum::<u64>().to_string()),
        ("p99 de CONSULTAR", p99(resumo.latencias.consultar)),
        ("p99 de COMPRAR", p99(resumo.latencias.comprar)),
        ("respostas por segundo", format!("{:.0}", resumo.vazao)),
    ];
    if let Some(pedidos) = resumo.pedidos {
        numeros.push(("pedidos numerados", pedidos.ids.to_string()));
        numeros.push(("perguntados de novo até haver resposta", pedidos.insistidos.to_string()));
        numeros.push(("perguntados de novo de propósito", pedidos.repetidos.to_string()));
        numeros.push(("compras desconhecidas", resumo.compras_desconhecidas()));
    }
    if resumo.fora_de_alcance != PorComando::default() {
        numeros.push(("com o estoque fora de alcance", soma(&resumo.fora_de_alcance)));
    }
    numeros
}

/// Um gráfico da página, nas duas larguras.
struct Figura {
    titulo: &'static str,
    legenda: String,
    /// O sinal, a cor (uma variável da folha de estilo) e o que significam.
    chave: Vec<(&'static str, &'static str, &'static str)>,
    larga: String,
    estreita: String,
}

#[derive(Template)]
#[template(path = "simulacao.html")]
struct Pagina<'a> {
    servidor: String,
    usuarios: String,
    quando: String,
    duracao: String,
    comando: &'a str,
    /// A cor e as palavras do veredito sobre o estoque.
    selo: (&'a str, &'a str),
    /// O mesmo, do AVISO.
    aviso: (&'a str, &'a str),
    frase: String,
    frase_do_aviso: String,
    resumo: &'a Resumo,
    veredito: &'a Veredito,
    exigencias: &'a [Conferida],
    descumpriu: bool,
    numeros: Vec<(&'static str, String)>,
    /// O que houve com as chegadas, no laço aberto.
    chegadas: Option<Vec<(&'static str, String)>>,
    contradicoes: String,
    violacoes: Vec<Contradicao>,
    figuras: Vec<Figura>,
    percentis: [&'static str; 5],
    latencias: Vec<(&'static str, u64, [String; 5])>,
    afirmacoes: Vec<&'static str>,
    parametros: Vec<(&'static str, String)>,
}
