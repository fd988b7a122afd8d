//! As durações e os instantes, como se escrevem: cada uso tem a precisão que pede, e a vírgula é a do português. Só
//! escreve.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// Uma duração com três algarismos, na unidade que a deixa legível: `87,2 µs`, `1,25 ms`, `2,61 s`.
pub fn formatar(duracao: Duration) -> String {
    let (valor, unidade) = na_unidade(duracao.as_secs_f64());
    let casas = match valor {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{} {unidade}", decimal(valor, casas))
}

/// Um tempo, dado em segundos, no eixo de um gráfico: `20 ms`, `1,5 s`, `200 s`.
pub fn rotulo_de_tempo(segundos: &f64) -> String {
    if *segundos == 0.0 {
        return "0".into();
    }
    let (valor, unidade) = na_unidade(*segundos);
    // Quatro algarismos bastam, e a conta do eixo deixa um resto depois deles.
    let exato = decimal(valor, 3);
    format!("{} {unidade}", exato.trim_end_matches('0').trim_end_matches(','))
}

/// Um instante, em segundos, com tantas casas: `0,023000 s`.
pub fn instante(quando: Duration, casas: usize) -> String {
    decimal(quando.as_secs_f64(), casas) + " s"
}

/// Um instante para programas, em segundos com nove casas e ponto: `0.023000000`.
pub fn instante_para_programas(quando: Duration) -> String {
    format!("{}.{:09}", quando.as_secs(), quando.subsec_nanos())
}

/// Uma duração em segundos, se há uma, para os documentos JSON.
///
/// # Errors
///
/// O documento não se pôde escrever.
pub fn em_segundos<'a, S: Serializer>(
    duracao: impl Into<Option<&'a Duration>>,
    documento: S,
) -> Result<S::Ok, S::Error> {
    duracao.into().map(Duration::as_secs_f64).serialize(documento)
}

/// Quanto falta, dado em segundos, em um número só, como quem responde "falta muito?".
pub fn quanto_falta(segundos: f64) -> String {
    let (quanto, unidade) = match segundos {
        s if s < 90.0 => (s, "s"),
        s if s < 90.0 * 60.0 => (s / 60.0, "min"),
        s => (s / 3600.0, "h"),
    };
    let quanto = quanto.ceil().max(1.0);
    let verbo = if quanto == 1.0 { "falta" } else { "faltam" };
    format!("{verbo} {quanto:.0} {unidade}")
}

/// Uma duração que alguém pediu, como se pede nas opções: `10s`, `1m 30s`.
pub fn como_se_pede(duracao: Duration) -> String {
    humantime::format_duration(duracao).to_string()
}

/// Estes segundos na unidade que os deixa legíveis.
fn na_unidade(segundos: f64) -> (f64, &'static str) {
    match segundos {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    }
}

fn decimal(valor: f64, casas: usize) -> String {
    format!("{valor:.casas$}").replace('.', ",")
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn duracoes_com_tres_algarismos() {
        let casos = [(87_200, "87,2 µs"), (1_250_000, "1,25 ms"), (123_400_000, "123 ms")];
        for (nanos, texto) in casos {
            assert_eq!(formatar(Duration::from_nanos(nanos)), texto);
        }
        assert_eq!(formatar(Duration::from_millis(2610)), "2,61 s");
        assert_eq!(formatar(Duration::from_micros(9_999)), "10,0 ms");
    }

    #[test]
    fn o_tempo_que_falta_e_um_numero_so() {
        let casos = [
            (-1.0, "falta 1 s"),
            (0.2, "falta 1 s"),
            (44.1, "faltam 45 s"),
            (150.0, "faltam 3 min"),
            (5400.0, "faltam 2 h"),
        ];
        for (segundos, texto) in casos {
            assert_eq!(quanto_falta(segundos), texto);
        }
    }
}
