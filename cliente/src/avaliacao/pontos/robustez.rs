//! Robustez (§10): o servidor continua a atender depois do que não devia acontecer?

use super::comum::{conferencia, outra_lingua};
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::evidencias::{Evidencias, Provocacao};

/// Robustez, 1,0: "tratamento de erros (ex: cliente desconecta abruptamente)". Um servidor que cai não
/// vende mais nada: custa o item inteiro.
pub fn robustez(vistas: &Evidencias) -> Vec<Conferencia> {
    let provocacoes = &vistas.robustez;
    let outra_lingua = outra_lingua(vistas);
    let caiu = provocacoes.iter().any(|(_, deixou)| deixou.is_some());
    let conferir = |(provocacao, deixou): &(Provocacao, Option<String>)| {
        let (tentou, de) = match provocacao {
            Provocacao::Resets => {
                ("20 clientes quebram a conexão (reset), com e sem comando no meio", 0.5)
            }
            Provocacao::Metades => ("20 clientes vão embora no meio de um comando", 0.25),
            Provocacao::Lixo => ("20 clientes mandam bytes que não são comando nem texto", 0.25),
        };
        match deixou {
            _ if outra_lingua.is_some() => {
                conferencia(tentou, de, 0.0, outra_lingua.clone().unwrap_or_default())
            }
            None if caiu => conferencia(
                tentou,
                de,
                0.0,
                "os outros seguiram atendidos; sem pontos, porque o servidor não sobrevive a outra prova",
            ),
            None => conferencia(tentou, de, 1.0, "os outros seguiram atendidos"),
            Some(porque) => conferencia(tentou, de, 0.0, porque.clone()),
        }
    };
    provocacoes.iter().map(conferir).collect()
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::{certas, provocacoes, valem};

    #[test]
    fn cair_de_um_jeito_custa_a_robustez_inteira() {
        for passaram in [[false, true, true], [true, false, true], [true, true, false]] {
            let vistas = Evidencias { robustez: provocacoes(passaram), ..certas() };
            let conferencias = robustez(&vistas);
            valem(&conferencias, &[0.0; 3]);
            for (conferencia, passou) in conferencias.iter().zip(passaram) {
                assert_eq!(conferencia.viu == "caiu", !passou);
                assert_eq!(conferencia.viu.contains("não sobrevive a outra prova"), passou);
            }
        }
        valem(&robustez(&certas()), &[0.5, 0.25, 0.25]);
    }
}
