//! Histórias de poucas linhas, e o que se espera delas.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Regra;
use cliente::auditoria::violacao::{Leitura, Origem, Violacao};
use cliente::conversa::desfecho::Desfecho::{self, Leu};
use cliente::historia::vivido::{Conexao, Historia, Operacao, Qual};
use std::time::Duration;

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn operacao(enviada: u64, chegou: u64, desfecho: Desfecho) -> Operacao {
    let compra = !matches!(desfecho, Leu(_));
    let resposta = Some((ms(chegou), desfecho));
    Operacao { conexao: 1, compra, enviada: ms(enviada), resposta, ..Operacao::default() }
}

/// Um COMPRAR que pode ter valido ou não.
pub fn sem_resposta(enviada: u64) -> Operacao {
    Operacao {
        conexao: 1,
        compra: true,
        enviada: ms(enviada),
        resposta: None,
        ..Operacao::default()
    }
}

/// Um usuário com uma conexão, aberta de 0 a 100 s.
pub fn historia(usuario: usize, operacoes: Vec<Operacao>, avisos: &[u64]) -> Historia {
    let respostas = operacoes.iter().filter_map(|o| o.resposta.as_ref());
    let conexao = Conexao {
        numero: 1,
        respondida: respostas.map(|(quando, _)| *quando).min(),
        fechou: Some(ms(100_000)),
        avisos: avisos.iter().map(|n| ms(*n)).collect(),
        ..Conexao::default()
    };
    Historia { usuario, conexoes: vec![conexao], operacoes, ..Historia::default() }
}

/// Um usuário que fez uma coisa só, e a quem ninguém deve o AVISO.
pub fn so(usuario: usize, enviada: u64, chegou: u64, desfecho: Desfecho) -> Historia {
    let mut historia = historia(usuario, vec![operacao(enviada, chegou, desfecho)], &[]);
    historia.conexoes[0].respondida = None;
    historia
}

pub fn leitura(usuario: usize, inicio: u64, fim: u64, origem: Origem, valor: i128) -> Leitura {
    Leitura { usuario, servidor: Qual::default(), inicio: ms(inicio), fim: ms(fim), origem, valor }
}

pub fn violacao(historias: &[Historia]) -> String {
    let veredito = auditar(historias, None);
    veredito.violacoes.first().map(|v| v.to_string()).unwrap_or_default()
}

/// A auditoria acusa isto, e só isto.
#[track_caller]
pub fn acusa(
    historias: &[Historia],
    estoque: Option<u64>,
    regra: Regra,
    quando: u64,
    provas: &[Leitura],
) {
    let esperada = Violacao { regra, quando: ms(quando), provas: provas.to_vec() };
    assert_eq!(auditar(historias, estoque).violacoes, [esperada]);
}

#[track_caller]
pub fn passa(historias: &[Historia], estoque: Option<u64>) {
    assert_eq!(auditar(historias, estoque).violacoes, []);
}
