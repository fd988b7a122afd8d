//! Evidências para os testes dos pontos.

use std::collections::BTreeMap;
use std::time::Duration;

use protocolo::Comando;

use crate::auditoria::regra::Regra;
use crate::auditoria::violacao::{Leitura, Origem, Violacao};
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::evidencias::{Atras, Conversa, Evidencias, Ouvintes, Provocacao, Rodada};
use crate::avaliacao::sonda::Troca;
use crate::historia::vivido::Qual;

pub(super) const DEMORA: Duration = Duration::from_millis(1);

pub(crate) fn soma(conferencias: &[Conferencia]) -> (f64, f64) {
    let pontos = conferencias.iter().map(|c| c.pontos).sum();
    (pontos, conferencias.iter().map(|c| c.de).sum())
}

#[track_caller]
pub(crate) fn valem(conferencias: &[Conferencia], esperados: &[f64]) {
    let pontos: Vec<f64> = conferencias.iter().map(|c| c.pontos).collect();
    let iguais = pontos.iter().zip(esperados).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(iguais && pontos.len() == esperados.len(), "{conferencias:#?}");
}

pub(crate) fn troca(comando: Comando, resposta: &str) -> Troca {
    Troca { comando, resposta: Some(resposta.into()), demora: DEMORA }
}

pub(crate) fn violacao(regra: Regra) -> Violacao {
    let leitura = Leitura {
        usuario: 1,
        servidor: Qual::default(),
        inicio: Duration::ZERO,
        fim: DEMORA,
        origem: Origem::Venda,
        valor: 3,
    };
    Violacao { regra, quando: DEMORA, provas: vec![leitura, leitura] }
}

pub(crate) fn rodada(regras: &[Regra]) -> Rodada {
    let contradicoes = regras.iter().copied().map(violacao).collect();
    Rodada {
        convidados: 50,
        atendidos: 50,
        compradores: 50,
        havia: Some(10),
        vendas: 10,
        recusas: 50,
        contradicoes,
        ..Rodada::default()
    }
}

/// O que se vê de um servidor em que nada está errado.
pub(crate) fn certas() -> Evidencias {
    let consulta = |n| troca(Comando::Consultar, &format!("Estoque atual: {n}"));
    let compra = |n| troca(Comando::Comprar, &format!("Compra realizada. Estoque restante: {n}"));
    let conversa = Conversa {
        inicial: Some(10),
        consultas: vec![consulta(10), consulta(0)],
        compras: (0..10).rev().map(compra).collect(),
        recusas: vec![troca(Comando::Comprar, "ERRO: Produto esgotado")],
        contradicao: None,
        recusa: None,
        sobras: false,
        numeros: BTreeMap::new(),
        fecha_depois_de: Vec::new(),
        portas: vec![54321],
        console: Some("[14:05:09] 127.0.0.1:54321 comando\n".repeat(13)),
    };
    let respondido = Atras::Respondido(consulta(10));
    Evidencias {
        conversa,
        atras_do_calado: respondido.clone(),
        atras_da_metade: respondido,
        extravio: false,
        rodadas: vec![rodada(&[]); 4],
        aviso: Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() },
        robustez: provocacoes([true; 3]),
        ..Evidencias::default()
    }
}

pub(crate) fn provocacoes(passaram: [bool; 3]) -> Vec<(Provocacao, Option<String>)> {
    let provocacoes = [Provocacao::Resets, Provocacao::Metades, Provocacao::Lixo];
    let deixou = |passou: bool| (!passou).then(|| "caiu".into());
    provocacoes.into_iter().zip(passaram.map(deixou)).collect()
}
