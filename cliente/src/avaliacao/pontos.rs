//! Quantos pontos vale o que as provas viram: os pesos são os do §10. Funções puras.

use protocolo::Mensagem;
use protocolo::terminal::contar;

use super::disputa::Ouvintes;
use super::fregues::{PRAZO, Troca};
use super::laudo::{Conferencia, Estado, Extra, Rodada};
use super::provas::{Conversa, Evidencias, Provocacao};
use crate::resumo::formatar;

fn conferencia(
    tentou: impl Into<String>,
    de: f64,
    fracao: f64,
    viu: impl Into<String>,
) -> Conferencia {
    Conferencia { tentou: tentou.into(), viu: viu.into(), pontos: de * fracao, de }
}

/// Multithreading, 3,0: "servidor aceita conexões simultâneas sem bloquear".
pub fn multithreading(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let atras = |tentou: &str, de: f64, resposta: &Option<Troca>| match resposta {
        Some(troca) => {
            conferencia(tentou, de, 1.0, format!("respondido em {}", formatar(troca.demora)))
        }
        None => conferencia(
            tentou,
            de,
            0.0,
            format!("nenhuma resposta em {}: um cliente bloqueia os outros", formatar(PRAZO)),
        ),
    };
    let atendidos = vistas.rodadas.iter().map(|rodada| rodada.atendidos).min().unwrap_or(0);
    // O primeiro qualquer servidor atende.
    let fracao = atendidos.saturating_sub(1) as f64 / (compradores - 1) as f64;
    vec![
        atras("um cliente conectado e calado; outro pede CONSULTAR", 1.5, &vistas.atras_do_calado),
        atras(
            "um cliente manda meio comando e para; outro pede CONSULTAR",
            0.5,
            &vistas.atras_da_metade,
        ),
        conferencia(
            format!("{compradores} clientes conectados ao mesmo tempo, todos consultam"),
            1.0,
            fracao,
            format!("{} na pior rodada", contar(atendidos, "atendido", "atendidos")),
        ),
    ]
}

/// Exclusão Mútua, 4,0: "ausência de inconsistência no estoque". Vender a mais uma vez custa tudo;
/// contradizer-se de outro modo, pelo menos a metade.
pub fn exclusao_mutua(rodadas: &[Rodada], compradores: usize) -> Vec<Conferencia> {
    let tentou = format!(
        "{} de {compradores} compradores, soltos juntos por uma barreira; a auditoria confere cada resposta",
        contar(rodadas.len(), "rodada", "rodadas")
    );
    let disputas: Vec<&Rodada> = rodadas.iter().filter(|rodada| rodada.houve_disputa()).collect();
    let limpas = disputas.iter().filter(|rodada| rodada.contradicoes.is_empty()).count();
    let demais = disputas.iter().filter(|rodada| rodada.vendeu_demais()).count();
    let vendas: u64 = disputas.iter().map(|rodada| rodada.vendas).sum();
    let (fracao, viu) = match (disputas.len(), disputas.len() - limpas) {
        (0, _) if rodadas.iter().any(|rodada| rodada.atendidos < 2) => {
            (0.0, "não se prova: nunca houve dois clientes atendidos ao mesmo tempo".into())
        }
        (0, _) => (0.0, "não se prova: as respostas a COMPRAR não são as do enunciado".into()),
        (_, 0) if vendas == 0 => (
            0.0,
            "não se prova: nada havia a vender; feche o servidor, abra-o de novo e repita".into(),
        ),
        (todas, 0) => {
            let rodadas = contar(todas, "rodada", "rodadas");
            (1.0, format!("{vendas} vendas em {rodadas}, nenhuma contradição"))
        }
        (todas, erradas) if demais > 0 => {
            let maximo = disputas.iter().map(|rodada| rodada.vendas).max().unwrap_or(0);
            (
                0.0,
                format!(
                    "vendeu a mais, ou deixou o estoque negativo, em {demais} de {todas} rodadas (na pior, {maximo} vendas); contradisse-se em {erradas}"
                ),
            )
        }
        (todas, erradas) => (
            0.5 * limpas as f64 / todas as f64,
            format!("contradisse-se em {erradas} de {todas} rodadas, sem vender a mais"),
        ),
    };
    vec![conferencia(tentou, 4.0, fracao, viu)]
}

impl Rodada {
    /// Houve dois ou mais comprando ao mesmo tempo, e deu para entender as respostas?
    fn houve_disputa(&self) -> bool {
        self.atendidos >= 2 && self.vendas + self.recusas > self.sem_resposta
    }

    /// Vendeu o que não tinha, ou a mesma unidade duas vezes?
    fn vendeu_demais(&self) -> bool {
        use crate::parecer::Regra;
        self.contradicoes
            .iter()
            .any(|v| matches!(v.regra, Regra::EstoqueNegativo | Regra::VendaRepetida))
    }
}

/// Protocolo, 2,0: "comandos COMPRAR/CONSULTAR funcionam conforme especificado" (§3.2).
pub fn protocolo(vistas: &Evidencias, estoque: u64) -> Vec<Conferencia> {
    let Conversa { inicial, consultas, compras, recusas, contradicao, .. } = &vistas.conversa;
    let e_estoque = |m: &Mensagem| matches!(m, Mensagem::Estoque(_));
    let e_compra = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let e_recusa = |m: &Mensagem| matches!(m, Mensagem::Esgotado);
    let forma =
        |tentou: &str, trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool| {
            let (fracao, viu) = texto(trocas, esperada, certa);
            conferencia(tentou, 0.6, fracao, viu)
        };
    let mut compra =
        forma("COMPRAR com estoque", compras, "Compra realizada. Estoque restante: 9", &e_compra);
    if let Some(contradicao) = contradicao {
        compra = conferencia(
            compra.tentou,
            compra.de,
            0.0,
            format!("os números não batem: {contradicao}"),
        );
    }
    let leu = inicial.map_or("não se entendeu".into(), |inicial| format!("leu {inicial}"));
    let certo = *inicial == Some(i128::from(estoque));
    vec![
        conferencia(
            format!("o estoque começa em {estoque}"),
            0.2,
            if certo { 1.0 } else { 0.0 },
            leu,
        ),
        forma("CONSULTAR", consultas, "Estoque atual: 10", &e_estoque),
        compra,
        forma("COMPRAR sem estoque", recusas, "ERRO: Produto esgotado", &e_recusa),
    ]
}

/// Que fração vale o texto destas respostas: letra por letra, tudo; com o mesmo sentido, metade.
fn texto(trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool) -> (f64, String) {
    let Some(primeira) = trocas.first() else { return (0.0, "não se chegou a ver".into()) };
    if let Some(muda) = trocas.iter().find(|troca| troca.resposta.is_none()) {
        let viu = if muda.demora < PRAZO {
            "a conexão fechou antes da resposta".into()
        } else {
            format!("ficou sem resposta em {}", formatar(PRAZO))
        };
        return (0.0, viu);
    }
    let estranha = trocas.iter().find(|troca| !troca.mensagem().is_some_and(|m| certa(&m)));
    if let Some(estranha) = estranha {
        return (0.0, format!("esperava '{esperada}', e veio '{}'", mostrar(estranha)));
    }
    match trocas.iter().find(|troca| !troca.ao_pe_da_letra()) {
        None => (1.0, format!("'{}', letra por letra", mostrar(primeira))),
        Some(parecida) => {
            (0.5, format!("o sentido é o de '{esperada}', mas veio '{}'", mostrar(parecida)))
        }
    }
}

fn mostrar(troca: &Troca) -> String {
    curto(troca.resposta.as_deref().unwrap_or_default())
}

/// Robustez, 1,0: "tratamento de erros (ex: cliente desconecta abruptamente)". Um servidor que cai não
/// vende mais nada: custa o item inteiro.
pub fn robustez(provocacoes: &[(Provocacao, Result<(), String>)]) -> Vec<Conferencia> {
    let caiu = provocacoes.iter().any(|(_, resultado)| resultado.is_err());
    let conferir = |(provocacao, resultado): &(Provocacao, Result<(), String>)| {
        let (tentou, de) = match provocacao {
            Provocacao::Resets => {
                ("20 clientes quebram a conexão (reset), com e sem comando no meio", 0.5)
            }
            Provocacao::Metades => ("20 clientes vão embora no meio de um comando", 0.25),
            Provocacao::Lixo => ("20 clientes mandam bytes que não são comando nem texto", 0.25),
        };
        match resultado {
            Ok(()) if caiu => conferencia(
                tentou,
                de,
                0.0,
                "os outros seguiram atendidos, mas o servidor cai de outro modo",
            ),
            Ok(()) => conferencia(tentou, de, 1.0, "os outros seguiram atendidos"),
            Err(porque) => conferencia(tentou, de, 0.0, porque.clone()),
        }
    };
    provocacoes.iter().map(conferir).collect()
}

/// Extra, §9.1: hora, IP e porta do cliente no console, para cada comando.
pub fn log(vistas: &Evidencias) -> Extra {
    let Conversa { console, porta, consultas, compras, recusas, .. } = &vistas.conversa;
    let comandos = consultas.len() + compras.len() + recusas.len();
    let (estado, viu) = match (console, porta) {
        (Some(console), Some(porta)) => julgar_log(console, *porta, comandos),
        _ => (Estado::NaoAvaliado, "o console só se vê com --iniciar".into()),
    };
    let tentou = format!("{} de um cliente, no console.", contar(comandos, "comando", "comandos"));
    Extra { nome: "Log Detalhado", estado, tentou, viu }
}

fn julgar_log(console: &str, porta: u16, comandos: usize) -> (Estado, String) {
    let dele: Vec<&str> = linhas_da_porta(console, porta).collect();
    let com_ip = dele.iter().filter(|linha| tem_ip(linha)).count();
    let completas = dele.iter().filter(|linha| tem_ip(linha) && tem_hora(linha)).count();
    let exemplo = dele.last().map(|linha| format!(": '{}'", curto(linha))).unwrap_or_default();
    if comandos > 0 && completas >= comandos {
        (Estado::Cumprido, format!("uma linha por comando, com hora, IP e porta{exemplo}"))
    } else if comandos > 0 && com_ip >= comandos {
        (Estado::EmParte, format!("uma linha por comando, com IP e porta, mas sem a hora{exemplo}"))
    } else {
        let linhas = contar(com_ip, "linha", "linhas");
        (
            Estado::NaoCumprido,
            format!("{linhas} com o IP e a porta do cliente, para {comandos} comandos{exemplo}"),
        )
    }
}

/// As linhas do console que têm este número de porta, e não só os algarismos dele dentro de outro.
pub fn linhas_da_porta(console: &str, porta: u16) -> impl Iterator<Item = &str> {
    let porta = porta.to_string();
    console.lines().filter(move |linha| {
        linha.split(|letra: char| !letra.is_ascii_digit()).any(|numero| numero == porta)
    })
}

fn tem_ip(linha: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].iter().any(|ip| linha.contains(ip))
}

/// `14:05:09` em algum lugar, ou o tempo desde 1970, em segundos ou em uma fração deles. O que o Python
/// chama de número da thread tem 15 algarismos, e não é a hora.
fn tem_hora(linha: &str) -> bool {
    let digito = |b: u8| b.is_ascii_digit();
    let relogio = |j: &[u8]| {
        digito(j[0])
            && j[1] == b':'
            && digito(j[2])
            && digito(j[3])
            && j[4] == b':'
            && digito(j[5])
            && digito(j[6])
    };
    let epoca = |numero: &str| matches!(numero.len(), 10 | 13 | 16 | 19) && numero.starts_with('1');
    linha.as_bytes().windows(7).any(relogio)
        || linha.split(|letra: char| !letra.is_ascii_digit()).any(epoca)
}

/// Extra, §9.2: o AVISO a todos os conectados, no momento do esgotamento.
pub fn broadcast(vistas: &Evidencias) -> Extra {
    let Ouvintes { conectados, ouviram, desordem, outras_palavras, espalhamento, .. } =
        &vistas.aviso;
    let palavras = outras_palavras.as_deref().map(curto);
    let palavras = palavras.map(|p| format!(", em outras palavras: '{p}'")).unwrap_or_default();
    let quantos = format!(
        "chegou a {ouviram} de {conectados}, {} do primeiro ao último{palavras}",
        formatar(*espalhamento)
    );
    let primeira = vistas.rodadas.first();
    let esgotado_antes = primeira.is_some_and(|r| r.houve_disputa() && r.vendas == 0);
    let todos = ouviram == conectados || vistas.aviso.menos_o_comprador;
    let (estado, viu) = match desordem {
        _ if esgotado_antes => {
            (Estado::NaoAvaliado, "o estoque já tinha acabado antes da disputa".to_owned())
        }
        _ if *ouviram == 0 => (Estado::NaoCumprido, "não chegou a ninguém".to_owned()),
        _ if vistas.aviso.so_o_comprador => {
            (Estado::NaoCumprido, "só chegou a quem comprou a última unidade".to_owned())
        }
        Some(desordem) => (Estado::EmParte, format!("{quantos}; mas {desordem}")),
        None if todos => (Estado::Cumprido, quantos),
        None => (Estado::EmParte, quantos),
    };
    let tentou = "Todos conectados na primeira disputa, à escuta do AVISO.".to_owned();
    Extra { nome: "Broadcast de Esgotamento", estado, tentou, viu }
}

/// O texto de um servidor desconhecido, curto e sem sequências de controle.
fn curto(texto: &str) -> String {
    texto.trim().chars().take(100).flat_map(char::escape_debug).collect()
}
