//! O resumo que se lê no fim: o que as histórias e as medidas dizem, em números. Puro, menos o texto.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use protocolo::terminal::contar;
use serde::Serialize;

use crate::conversa::texto::citar;
use crate::historia::chegadas::Chegadas;
use crate::historia::conjunto::Simulacao;
use crate::historia::medidas::{self, Latencias, Pedidos, Sem};
use crate::historia::vivido::{Conexao, Historia, Qual};
use crate::tempo::{em_segundos, formatar};

/// Os números de uma simulação. `Display` é o resumo do terminal, com a tabela de latências.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Resumo {
    /// Usuários pedidos.
    pub usuarios: usize,
    /// Quantas conexões existiram ao mesmo tempo, no máximo.
    pub pico: u64,
    /// Ciclos levados até o fim.
    pub ciclos: u64,
    /// Ciclos que os roteiros previam.
    pub ciclos_previstos: u64,
    /// Respostas a CONSULTAR.
    pub consultas: u64,
    /// Compras feitas.
    pub vendas: u64,
    /// Compras recusadas por falta de estoque.
    pub recusas: u64,
    /// Os pedidos respondidos de outro modo.
    pub de_outro_modo: DeOutroModo,
    /// Os pedidos que ouviram que o estoque, que o servidor divide com outros, está fora de alcance.
    pub fora_de_alcance: PorComando<u64>,
    /// Os pedidos que ficaram sem resposta.
    pub sem_resposta: PorComando<u64>,
    /// As compras numeradas, se o foram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pedidos: Option<Pedidos>,
    /// AVISOs de que o estoque acabou, somados todos os usuários.
    pub avisos: u64,
    /// Do primeiro AVISO ao último, se houve mais de um.
    #[serde(rename = "espalhamento_s", serialize_with = "em_segundos")]
    pub espalhamento: Option<Duration>,
    /// Do começo ao fim, menos a espera pelo AVISO.
    #[serde(rename = "duracao_s", serialize_with = "em_segundos")]
    pub duracao: Duration,
    /// Quanto a multidão ficou só à espera do AVISO, quando já tinha feito tudo.
    #[serde(rename = "espera_do_aviso_s", serialize_with = "em_segundos")]
    pub espera_do_aviso: Duration,
    /// Respostas por segundo, em média, das que se entendem.
    pub vazao: f64,
    /// A semente dos sorteios.
    #[serde(skip)]
    pub semente: u64,
    /// Foi interrompida antes do fim?
    pub interrompida: bool,
    /// Quantas vezes aconteceu cada falha.
    pub falhas: BTreeMap<String, u64>,
    /// O que houve em cada servidor, pela ordem em que se disseram.
    pub servidores: Vec<DoServidor>,
    /// As latências de cada um, se alguém teve resposta que se entenda: desde o envio ou, no laço aberto, desde a hora
    /// marcada.
    pub latencias: PorComando<Option<Percentis>>,
    /// No laço aberto, as mesmas desde o envio.
    pub latencias_do_envio: Option<PorComando<Option<Percentis>>>,
    /// O que houve com as chegadas, no laço aberto.
    pub chegadas: Option<Chegadas>,
}

/// O que houve em um dos servidores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DoServidor {
    /// Como se pediu.
    pub servidor: String,
    /// Conexões que se fizeram com ele.
    pub conexoes: u64,
    /// As que se perderam enquanto se usavam.
    pub quedas: u64,
    /// Respostas a CONSULTAR.
    pub consultas: u64,
    /// Compras feitas.
    pub vendas: u64,
    /// Compras recusadas por falta de estoque.
    pub recusas: u64,
    /// Pedidos que ouviram que o estoque está fora de alcance.
    pub fora_de_alcance: u64,
    /// Pedidos sem resposta.
    pub sem_resposta: u64,
    /// AVISOs de que o estoque acabou.
    pub avisos: u64,
}

/// O mesmo, de CONSULTAR e de COMPRAR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PorComando<T> {
    /// De CONSULTAR.
    pub consultar: T,
    /// De COMPRAR.
    pub comprar: T,
}

/// Os pedidos a que se respondeu outra coisa.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeOutroModo {
    /// Quantos.
    #[serde(flatten)]
    pub pedidos: PorComando<u64>,
    /// A primeira dessas respostas.
    pub primeira: Option<String>,
}

/// Uma distribuição de latências, em cinco números.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentis {
    /// Quantas respostas se mediram.
    pub amostras: u64,
    /// A mediana.
    #[serde(rename = "p50_s", serialize_with = "em_segundos")]
    pub p50: Duration,
    /// 90% não passam disto.
    #[serde(rename = "p90_s", serialize_with = "em_segundos")]
    pub p90: Duration,
    /// 99% não passam disto.
    #[serde(rename = "p99_s", serialize_with = "em_segundos")]
    pub p99: Duration,
    /// 99,9% não passam disto.
    #[serde(rename = "p999_s", serialize_with = "em_segundos")]
    pub p999: Duration,
    /// A maior de todas.
    #[serde(rename = "maximo_s", serialize_with = "em_segundos")]
    pub maximo: Duration,
}

impl Percentis {
    fn de(latencias: &Latencias) -> Option<Self> {
        Some(Percentis {
            amostras: latencias.amostras(),
            p50: latencias.quantil(0.5)?,
            p90: latencias.quantil(0.9)?,
            p99: latencias.quantil(0.99)?,
            p999: latencias.quantil(0.999)?,
            maximo: latencias.quantil(1.0)?,
        })
    }

    /// Os cinco tempos, em ordem.
    pub fn tempos(&self) -> [Duration; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.maximo]
    }
}

/// Resume uma simulação.
pub fn resumir(simulacao: &Simulacao) -> Resumo {
    let Simulacao { historias, medidas, espera, .. } = simulacao;
    let duracao = simulacao.duracao.saturating_sub(*espera);
    let avisos = avisos(historias);
    let espalhamento = match (avisos.first(), avisos.last()) {
        (Some(primeiro), Some(ultimo)) if avisos.len() > 1 => Some(*ultimo - *primeiro),
        _ => None,
    };
    let sem = |conta: fn(&Sem) -> u64| PorComando {
        consultar: conta(&medidas.consultar_sem),
        comprar: conta(&medidas.comprar_sem),
    };
    let textos = [&medidas.consultar_sem, &medidas.comprar_sem].map(|sem| sem.primeira.as_ref());
    let primeira = textos.into_iter().flatten().min_by_key(|(quando, _)| *quando);
    let respostas = medidas.consultar.amostras() + medidas.comprar.amostras();
    Resumo {
        usuarios: simulacao.usuarios,
        pico: pico(historias),
        ciclos: historias.iter().map(|h| u64::from(h.ciclos)).sum(),
        ciclos_previstos: simulacao.ciclos_previstos,
        consultas: medidas.consultas,
        vendas: medidas.vendas,
        recusas: medidas.recusas,
        de_outro_modo: DeOutroModo {
            pedidos: sem(|sem| sem.de_outro_modo),
            primeira: primeira.map(|(_, texto)| texto.clone()),
        },
        fora_de_alcance: sem(|sem| sem.fora_de_alcance),
        sem_resposta: sem(|sem| sem.sem_resposta),
        pedidos: Some(medidas.pedidos).filter(|pedidos| pedidos.ids > 0),
        avisos: avisos.len() as u64,
        espalhamento,
        duracao,
        espera_do_aviso: *espera,
        vazao: respostas as f64 / duracao.as_secs_f64().max(f64::EPSILON),
        semente: simulacao.semente,
        interrompida: simulacao.interrompida,
        falhas: contar_falhas(historias),
        servidores: do_servidor(simulacao),
        latencias: PorComando {
            consultar: Percentis::de(&medidas.consultar),
            comprar: Percentis::de(&medidas.comprar),
        },
        latencias_do_envio: simulacao.chegadas.map(|_| PorComando {
            consultar: Percentis::de(&medidas.consultar_do_envio),
            comprar: Percentis::de(&medidas.comprar_do_envio),
        }),
        chegadas: simulacao.chegadas,
    }
}

/// Quando chegou cada AVISO de que o estoque acabou, em ordem.
pub fn avisos(historias: &[Historia]) -> Vec<Duration> {
    let conexoes = historias.iter().flat_map(|h| &h.conexoes);
    let mut avisos: Vec<Duration> = conexoes.flat_map(|p| p.avisos.iter().copied()).collect();
    avisos.sort_unstable();
    avisos
}

fn pico(historias: &[Historia]) -> u64 {
    let conexoes = historias.iter().flat_map(|h| &h.conexoes);
    let mut mudancas: Vec<(Duration, i64)> = conexoes
        .flat_map(|p: &Conexao| [(p.conectou, 1), (p.fechou.unwrap_or(Duration::MAX), -1)])
        .collect();
    // No mesmo instante, primeiro quem sai.
    mudancas.sort_unstable();
    let mut agora: i64 = 0;
    mudancas.into_iter().fold(0, |pico, (_, mudanca)| {
        agora += mudanca;
        pico.max(agora.unsigned_abs())
    })
}

fn do_servidor(simulacao: &Simulacao) -> Vec<DoServidor> {
    let nomes = &simulacao.servidores;
    let contar = |(indice, nome): (usize, &String)| {
        let servidor = Qual::de(indice, nomes.len());
        let medidas = simulacao.medidas.servidores.get(indice).copied().unwrap_or_default();
        let medidas::DoServidor { consultas, vendas, recusas, fora_de_alcance, sem_resposta } =
            medidas;
        let todas = simulacao.historias.iter().flat_map(|historia| &historia.conexoes);
        let dele = || todas.clone().filter(|conexao| conexao.servidor == servidor);
        DoServidor {
            servidor: nome.clone(),
            conexoes: dele().count() as u64,
            quedas: dele().filter(|conexao| conexao.caiu).count() as u64,
            consultas,
            vendas,
            recusas,
            fora_de_alcance,
            sem_resposta,
            avisos: dele().map(|conexao| conexao.avisos.len() as u64).sum(),
        }
    };
    nomes.iter().enumerate().map(contar).collect()
}

fn contar_falhas(historias: &[Historia]) -> BTreeMap<String, u64> {
    let mut contas = BTreeMap::new();
    for (_, falha) in historias.iter().flat_map(|h| &h.falhas) {
        *contas.entry(falha.to_string()).or_default() += 1;
    }
    contas
}

impl fmt::Display for Resumo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parcial =
            if self.interrompida { " parcial: a simulação foi interrompida" } else { "" };
        writeln!(f, "Resumo{parcial}")?;
        let mut linha = |nome: &str, valor: String| writeln!(f, "  {nome:<20} {valor}");
        linha("usuários", format!("{} (pico de {} ao mesmo tempo)", self.usuarios, self.pico))?;
        let incompletos = if self.ciclos < self.ciclos_previstos {
            " (o veredito é só sobre o que se viu)"
        } else {
            ""
        };
        linha("ciclos", format!("{} de {}{incompletos}", self.ciclos, self.ciclos_previstos))?;
        for (nome, valor) in self.chegadas.iter().flat_map(das_chegadas) {
            linha(nome, valor)?;
        }
        linha("consultas", self.consultas.to_string())?;
        linha("vendas", self.vendas.to_string())?;
        linha("recusas", self.recusas.to_string())?;
        let DeOutroModo { pedidos, primeira } = &self.de_outro_modo;
        let citada = primeira.as_ref().map(|texto| format!("; a primeira: {}", citar(texto)));
        linha("de outro modo", pedidos.to_string() + &citada.unwrap_or_default())?;
        if self.fora_de_alcance != PorComando::default() {
            linha("fora de alcance", self.fora_de_alcance.to_string())?;
        }
        linha("sem resposta", self.sem_resposta.to_string())?;
        if let Some(Pedidos { ids, insistidos, repetidos }) = self.pedidos {
            linha(
                "pedidos",
                format!(
                    "{ids} ({insistidos} perguntados de novo até haver resposta, {repetidos} de propósito depois dela)"
                ),
            )?;
            linha("desconhecidas", self.compras_desconhecidas())?;
        }
        let espalhamento = self
            .espalhamento
            .map(|tempo| format!(" ({} do primeiro ao último)", formatar(tempo)))
            .unwrap_or_default();
        linha("AVISOs", format!("{}{espalhamento}", self.avisos))?;
        let espera = match self.espera_do_aviso {
            curta if curta < ESPERA_QUE_SE_DIZ => String::new(),
            espera => format!(" (e mais {} à espera do AVISO)", formatar(espera)),
        };
        linha("duração", format!("{}{espera}", formatar(self.duracao)))?;
        linha("semente", self.semente.to_string())?;
        linha("falhas", self.falhas.values().sum::<u64>().to_string())?;
        for (falha, vezes) in &self.falhas {
            linha("", format!("{vezes} × {falha}"))?;
        }
        self.escrever_servidores(f)?;
        self.escrever_latencias(f)
    }
}

impl Resumo {
    fn escrever_latencias(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, p999, maximo] = NOMES_DOS_PERCENTIS;
        writeln!(f, "\n  {:<12}{p50:>10}{p90:>10}{p99:>10}{p999:>10}{maximo:>10}", "latência")?;
        for (nome, percentis) in self.tabela_das_latencias() {
            write!(f, "  {nome:<12}")?;
            for qual in 0..NOMES_DOS_PERCENTIS.len() {
                let tempo = percentis.map_or("-".into(), |p| formatar(p.tempos()[qual]));
                write!(f, "{tempo:>10}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// O que se diz das chegadas de um laço aberto, linha a linha.
pub fn das_chegadas(chegadas: &Chegadas) -> Vec<(&'static str, String)> {
    let Chegadas { marcadas, enviadas, esperaram_usuario, maior_espera, .. } = *chegadas;
    let desistiram = match chegadas.desistiram() {
        0 => String::new(),
        n => format!(" ({n} não acharam um usuário a tempo, e não estão nas latências)"),
    };
    let a_maior = match esperaram_usuario {
        0 => String::new(),
        _ => format!(" (a maior espera: {})", formatar(maior_espera)),
    };
    let mut linhas = vec![
        ("chegadas", format!("{enviadas} de {marcadas}{desistiram}")),
        ("à espera de usuário", format!("{esperaram_usuario}{a_maior}")),
    ];
    linhas.extend(
        chegadas
            .atraso_do_cliente
            .map(|atraso| ("atraso do cliente", format!("{} (p99)", formatar(atraso)))),
    );
    if !chegadas.alcancou() {
        let cheia = chegadas
            .fila_cheia
            .map(|tempo| format!(": a fila não se esvaziou nos últimos {}", formatar(tempo)));
        linhas.push(("taxa oferecida", format!("não foi alcançada{}", cheia.unwrap_or_default())));
    }
    linhas
}

impl Resumo {
    /// As compras de que não se sabe se valeram.
    pub fn desconhecidas(&self) -> u64 {
        self.sem_resposta.comprar + self.de_outro_modo.pedidos.comprar
    }

    /// Quantas são, e por quê.
    pub fn compras_desconhecidas(&self) -> String {
        let (caladas, outras) = (self.sem_resposta.comprar, self.de_outro_modo.pedidos.comprar);
        match self.desconhecidas() {
            0 => "0".into(),
            todas => format!("{todas} ({caladas} sem resposta, {outras} de outro modo)"),
        }
    }

    /// O nome de cada linha da tabela de latências, e os percentis. No laço aberto, há as que contam da hora marcada e
    /// as que contam do envio.
    pub fn tabela_das_latencias(&self) -> Vec<(&'static str, Option<Percentis>)> {
        let PorComando { consultar, comprar } = self.latencias;
        let mut linhas = vec![("CONSULTAR", consultar), ("COMPRAR", comprar)];
        if let Some(PorComando { consultar, comprar }) = self.latencias_do_envio {
            linhas.extend([("  do envio", consultar), ("  do envio", comprar)]);
            // Cada uma debaixo da que explica.
            linhas.swap(1, 2);
        }
        linhas
    }

    /// Uma linha por servidor, se são vários; o número é o das frases da auditoria.
    fn escrever_servidores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.servidores.len() < 2 {
            return Ok(());
        }
        writeln!(f)?;
        for (indice, servidor) in self.servidores.iter().enumerate() {
            let DoServidor { servidor, conexoes, quedas, vendas, recusas, avisos, .. } = servidor;
            let partes = [
                contar(*conexoes as usize, "conexão", "conexões"),
                contar(*quedas as usize, "queda", "quedas"),
                contar(*vendas as usize, "venda", "vendas"),
                contar(*recusas as usize, "recusa", "recusas"),
                contar(*avisos as usize, "AVISO", "AVISOs"),
            ];
            writeln!(f, "  servidor {} ({servidor}): {}", indice + 1, partes.join(", "))?;
        }
        Ok(())
    }
}

/// A espera pelo AVISO que não se nota não se diz.
const ESPERA_QUE_SE_DIZ: Duration = Duration::from_millis(100);

/// Quantos pedidos, e de qual comando: `3 (CONSULTAR 1, COMPRAR 2)`.
impl fmt::Display for PorComando<u64> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PorComando { consultar, comprar } = self;
        match consultar + comprar {
            0 => f.write_str("0"),
            todos => write!(f, "{todos} (CONSULTAR {consultar}, COMPRAR {comprar})"),
        }
    }
}

/// Os nomes de [`Percentis::tempos`].
pub const NOMES_DOS_PERCENTIS: [&str; 5] = ["p50", "p90", "p99", "p99,9", "máx"];

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn a_tabela_de_latencias_tem_uma_coluna_por_percentil() {
        let ms = Duration::from_millis;
        let percentis = Percentis {
            amostras: 9,
            p50: ms(1),
            p90: ms(2),
            p99: ms(3),
            p999: ms(4),
            maximo: ms(5),
        };
        let texto = Resumo {
            latencias: PorComando { consultar: None, comprar: Some(percentis) },
            ..Resumo::default()
        }
        .to_string();
        let linhas: Vec<&str> = texto.lines().rev().take(2).collect();
        let colunas = |linha: &str| linha.split("  ").filter(|c| !c.is_empty()).count();
        assert_eq!(
            linhas[0].split_whitespace().collect::<String>(),
            "COMPRAR1,00ms2,00ms3,00ms4,00ms5,00ms"
        );
        assert_eq!(linhas[1].split_whitespace().collect::<String>(), "CONSULTAR-----");
        assert_eq!(colunas(linhas[0]), 6);
    }

    #[test]
    fn o_pico_conta_quem_esteve_junto() {
        let conexao = |de, ate: Option<u64>| Conexao {
            conectou: Duration::from_secs(de),
            fechou: ate.map(Duration::from_secs),
            ..Conexao::default()
        };
        let historia = |conexoes| Historia { conexoes, ..Historia::default() };
        let historias = [
            historia(vec![conexao(0, Some(2)), conexao(2, Some(4))]),
            historia(vec![conexao(1, None)]),
            historia(vec![conexao(5, Some(6))]),
        ];
        assert_eq!(pico(&historias), 2);
    }
}
