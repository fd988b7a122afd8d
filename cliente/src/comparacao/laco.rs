//! O que a comparação mostra do laço aberto, em que os pedidos têm hora marcada: as chegadas, e as latências que contam
//! dessa hora. Duas medidas diferentes não se cobram uma da outra: entre um laço aberto e um fechado mostra-se o que as
//! duas mediram, desde o envio, e nada se conclui.

use std::time::Duration;

use serde_json::Value;

use super::leitura::{Chegadas, Documento, DosComandos, Latencias};
use super::{Linha, Melhor, Numero, Unidade, veredito};
use crate::opcoes::carga::{Etapa, por_extenso};

/// Como chegaram as duas multidões.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacos {
    Fechados,
    Abertos,
    /// Uma de cada: não se cobra uma da outra o que depende de como chegaram.
    Diferentes,
}

/// As latências de um comando: como se chamam, se se cobram, e quais são.
pub(super) type DoComando = (&'static str, bool, fn(&Documento) -> Option<&Latencias>);

impl Lacos {
    pub(super) fn de(pares: &[Documento; 2]) -> Self {
        match pares.each_ref().map(|par| par.resumo.chegadas.is_some()) {
            [false, false] => Lacos::Fechados,
            [true, true] => Lacos::Abertos,
            _ => Lacos::Diferentes,
        }
    }

    /// Se cada uma alcançou a taxa que ofereceu.
    pub(super) fn taxa_oferecida(self, pares: &[Documento; 2]) -> Option<Linha> {
        let [uma, outra] = pares.each_ref().map(|par| par.resumo.chegadas.as_ref());
        Some(veredito("taxa oferecida", [uma?.taxa(), outra?.taxa()]))
    }

    /// A vazão, e as chegadas, se as há.
    pub(super) fn numeros(self) -> Vec<Numero> {
        let melhor = if self == Lacos::Diferentes { Melhor::Nenhum } else { Melhor::Mais };
        let vazao: Numero =
            ("respostas por segundo", Unidade::PorSegundo, melhor, |d| Some(d.resumo.vazao));
        match self {
            Lacos::Fechados => vec![vazao],
            Lacos::Abertos | Lacos::Diferentes => [&[vazao], &DAS_CHEGADAS[..]].concat(),
        }
    }

    /// As latências que se mostram, e as que se cobram.
    pub(super) fn latencias(self) -> Vec<DoComando> {
        let marcadas = |consultar, comprar| -> [DoComando; 2] {
            [
                (consultar, true, |d| d.resumo.latencias.consultar.as_ref()),
                (comprar, true, |d| d.resumo.latencias.comprar.as_ref()),
            ]
        };
        match self {
            Lacos::Fechados => marcadas("CONSULTAR", "COMPRAR").into(),
            Lacos::Abertos => {
                let marcadas = marcadas("CONSULTAR, da hora marcada", "COMPRAR, da hora marcada");
                [marcadas, DO_ENVIO].concat()
            }
            Lacos::Diferentes => DO_ENVIO.into(),
        }
    }
}

/// Quantas chegam o sorteio decide, e as que esperaram já pesam nas latências: só se cobra quem ninguém atendeu.
const DAS_CHEGADAS: [Numero; 6] = [
    ("chegadas marcadas", Unidade::Contagem, Melhor::Nenhum, |d| conta(d, |c| c.marcadas)),
    ("chegadas atendidas", Unidade::Contagem, Melhor::Nenhum, |d| conta(d, |c| c.enviadas)),
    ("desistiram de esperar", Unidade::Contagem, Melhor::Menos, |d| conta(d, Chegadas::desistiram)),
    ("esperaram por um usuário", Unidade::Contagem, Melhor::Nenhum, |d| {
        conta(d, |c| c.esperaram_usuario)
    }),
    ("a maior dessas esperas", Unidade::Segundos, Melhor::Nenhum, |d| {
        d.resumo.chegadas.as_ref().map(|c| c.maior_espera_s)
    }),
    ("p99 do atraso do cliente", Unidade::Segundos, Melhor::Nenhum, |d| {
        d.resumo.chegadas.as_ref()?.atraso_do_cliente_p99_s
    }),
];

fn conta(documento: &Documento, conta: fn(&Chegadas) -> u64) -> Option<f64> {
    documento.resumo.chegadas.as_ref().map(|chegadas| conta(chegadas) as f64)
}

/// Não se cobram: uma parada do servidor quase não se vê nelas.
const DO_ENVIO: [DoComando; 2] = [
    ("CONSULTAR, do envio", false, |d| do_envio(d).consultar.as_ref()),
    ("COMPRAR, do envio", false, |d| do_envio(d).comprar.as_ref()),
];

/// No laço fechado, as latências são as do envio.
fn do_envio(documento: &Documento) -> &DosComandos {
    let resumo = &documento.resumo;
    resumo.latencias_do_envio.as_ref().unwrap_or(&resumo.latencias)
}

/// Como se pediu que chegassem, por extenso.
pub(super) fn como_chegam(documento: &Documento) -> String {
    let etapa = |etapa: &Value| {
        let duracao = Duration::try_from_secs_f64(etapa.get("duracao_s")?.as_f64()?).ok()?;
        Some(Etapa { duracao, taxa_por_s: etapa.get("taxa_por_s")?.as_f64()? })
    };
    match documento.parametros.get("etapas").and_then(Value::as_array) {
        None => "laço fechado".into(),
        Some(etapas) => {
            let etapas: Vec<Etapa> = etapas.iter().filter_map(etapa).collect();
            format!("laço aberto ({})", por_extenso(&etapas))
        }
    }
}
