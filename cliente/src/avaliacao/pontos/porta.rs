//! A porta (§3.1): o servidor escuta onde o enunciado manda?

use super::comum::conferencia;
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::falhas::Falha;

/// Que parte do Protocolo custa escutar em outra porta.
const PARTE: f64 = 0.25;

/// As conferências do Protocolo de um servidor que escuta em outra porta: ela custa um quarto do item, e o que os
/// comandos fazem vale os outros três. De quem acerta a porta, não se fala nela.
pub fn em_outra_porta(
    conferencias: Vec<Conferencia>,
    pedida: u16,
    achada: u16,
) -> Vec<Conferencia> {
    let todos: f64 = conferencias.iter().map(|conferencia| conferencia.de).sum();
    let viu = format!("escuta na porta {achada}, e foi avaliado ali");
    let porta = Conferencia {
        falha: Some(Falha::PortaErrada),
        ..conferencia(format!("escutar na porta {pedida} (§3.1)"), todos * PARTE, 0.0, viu)
    };
    let outras = conferencias.into_iter().map(|conferencia| conferencia.valendo(1.0 - PARTE));
    std::iter::once(porta).chain(outras).collect()
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::{certas, soma};
    use crate::avaliacao::pontos::protocolo;

    #[test]
    fn a_porta_errada_custa_um_quarto_do_protocolo_e_o_item_vale_o_mesmo() {
        let conferencias = em_outra_porta(protocolo(&certas(), 10), 12346, 5000);
        let (pontos, de) = soma(&conferencias);
        assert!((pontos - 1.5).abs() < 1e-9 && (de - 2.0).abs() < 1e-9, "{pontos} de {de}");
        assert!(conferencias[0].viu.contains("porta 5000"));
    }
}
