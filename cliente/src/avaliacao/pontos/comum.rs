//! O que todos os itens dizem do mesmo modo.

use protocolo::mensagem::visivel;

use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::evidencias::{Conversa, Evidencias};
use crate::avaliacao::sonda::Troca;

/// A resposta do enunciado a uma compra.
pub(super) const COMPRA: &str = "Compra realizada. Estoque restante: 9";

pub(super) fn conferencia(
    tentou: impl Into<String>,
    de: f64,
    fracao: f64,
    viu: impl Into<String>,
) -> Conferencia {
    Conferencia { tentou: tentou.into(), viu: viu.into(), pontos: de * fracao, de, falha: None }
}

/// O que este servidor diz quando se lhe fala, se nada do que diz é do protocolo: não é um servidor desta
/// atividade, e o que faz com as conexões não vale pontos.
pub(super) fn outra_lingua(vistas: &Evidencias) -> Option<String> {
    let Conversa { consultas, compras, recusas, .. } = &vistas.conversa;
    let trocas = || consultas.iter().chain(compras).chain(recusas);
    if trocas().any(Troca::se_entende) {
        return None;
    }
    let dita = trocas().find(|troca| troca.resposta.is_some());
    Some(match dita {
        Some(troca) => format!("não fala o protocolo: {}", pediu_e_veio(troca)),
        None => "não fala o protocolo: não respondeu nada a ninguém".into(),
    })
}

pub(super) fn pediu_e_veio(troca: &Troca) -> String {
    let comando = String::from_utf8_lossy(troca.comando.nome()).into_owned();
    format!("a {comando} respondeu '{}'", mostrar(troca))
}

pub(super) fn mostrar(troca: &Troca) -> String {
    curto(troca.resposta.as_deref().unwrap_or_default())
}

/// O texto de um servidor desconhecido, curto e sem sequências de controle.
pub(super) fn curto(texto: &str) -> String {
    visivel(&texto.trim().chars().take(100).collect::<String>())
}
