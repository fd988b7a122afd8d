//! As durações, como se escrevem: cada uso tem a precisão que pede, e a vírgula é a do português. Só escreve.

use std::time::Duration;

/// Uma duração com três algarismos, na unidade que a deixa legível: `87,2 µs`, `1,25 ms`, `2,61 s`.
pub fn formatar(duracao: Duration) -> String {
    let segundos = duracao.as_secs_f64();
    let (valor, unidade) = match segundos {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let casas = match valor {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{valor:.casas$} {unidade}").replace('.', ",")
}

/// Um tempo em segundos, em poucos algarismos: `20 ms`, `1,5 s`, `200 s`.
pub fn rotulo_de_tempo(segundos: &f64) -> String {
    let (valor, unidade) = match *segundos {
        0.0 => return "0".into(),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    // Quatro algarismos bastam, e a conta do eixo deixa um resto depois deles.
    let exato = format!("{valor:.3}");
    let enxuto = exato.trim_end_matches('0').trim_end_matches('.').replace('.', ",");
    format!("{enxuto} {unidade}")
}

/// Um instante, em segundos com seis casas.
pub fn segundos(instante: Duration) -> String {
    format!("{:.6} s", instante.as_secs_f64()).replace('.', ",")
}

/// Um instante, em segundos com nove casas e ponto, para programas.
pub fn em_segundos(instante: Duration) -> String {
    format!("{}.{:09}", instante.as_secs(), instante.subsec_nanos())
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
}
