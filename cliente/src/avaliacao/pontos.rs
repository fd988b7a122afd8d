//! Quantos pontos vale o que as provas viram: os pesos são os do §10. Funções puras.

mod comum;
mod disputas;
#[cfg(test)]
pub(super) mod exemplos;
mod extras;
mod porta;
mod robustez;
mod simultaneos;
mod textos;

pub use disputas::{estoque, exclusao_mutua, observacoes};
pub use extras::{broadcast, log};
pub use porta::em_outra_porta;
pub use robustez::robustez;
pub use simultaneos::multithreading;
pub use textos::protocolo;

#[cfg(test)]
mod testes {
    use super::exemplos::{certas, provocacoes, rodada, soma, troca, valem};
    use super::*;
    use crate::auditoria::regra::Regra;
    use crate::auditoria::veredito::Estoque;
    use crate::avaliacao::boletim::Estado;
    use crate::avaliacao::evidencias::{Atras, Evidencias, Ouvintes};
    use crate::avaliacao::sonda::Troca;
    use ::protocolo::Comando;

    #[test]
    fn os_pesos_sao_os_do_enunciado_certo_ou_errado() {
        let certas = certas();
        let erradas = Evidencias { robustez: provocacoes([false; 3]), ..Evidencias::default() };
        for (vistas, fracao) in [(certas, 1.0), (erradas, 0.0)] {
            assert_eq!(soma(&multithreading(&vistas, 50)), (3.0 * fracao, 3.0));
            assert_eq!(soma(&exclusao_mutua(&vistas, 50)), (4.0 * fracao, 4.0));
            assert_eq!(soma(&robustez(&vistas)), (fracao, 1.0));
            let (pontos, de) = soma(&protocolo(&vistas, 10));
            assert!((pontos - 2.0 * fracao).abs() < 1e-9 && (de - 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn o_que_nao_fala_o_protocolo_nao_tem_pontos_e_a_razao_e_o_que_disse() {
        let mut vistas = certas();
        let disse = troca(Comando::Consultar, "HTTP/1.0 400 Bad\u{7} request");
        vistas.conversa.consultas = vec![disse.clone()];
        vistas.conversa.compras = vec![Troca { comando: Comando::Comprar, ..disse.clone() }];
        vistas.conversa.recusas = Vec::new();
        vistas.atras_do_calado = Atras::Respondido(disse.clone());
        vistas.atras_da_metade = Atras::Respondido(disse);
        for conferencias in
            [multithreading(&vistas, 50), exclusao_mutua(&vistas, 50), robustez(&vistas)]
        {
            for conferencia in conferencias {
                let frase = r"a CONSULTAR respondeu 'HTTP/1.0 400 Bad\u{7} request'";
                assert!(conferencia.viu.contains(frase), "{}", conferencia.viu);
                assert!(conferencia.pontos.abs() < 1e-9);
            }
        }
        assert_eq!(estoque(&vistas).0, Estoque::SemVeredito);
    }

    #[test]
    fn fechar_depois_de_responder_custa_uma_vez_os_conectados_ao_mesmo_tempo() {
        let mut vistas = certas();
        vistas.conversa.fecha_depois_de = vec!["CONSULTAR", "COMPRAR", "COMPRAR sem estoque"];
        for rodada in &mut vistas.rodadas {
            rodada.atendidos = 0;
        }
        valem(&multithreading(&vistas, 50), &[1.5, 0.5, 0.0]);
        assert!(multithreading(&vistas, 50)[2].viu.contains("o §5 precisa dela aberta"));
        valem(&exclusao_mutua(&vistas, 50), &[4.0]);
        valem(&protocolo(&vistas, 10), &[0.2, 0.6, 0.6, 0.6]);
        assert_eq!(observacoes(&vistas, 50, 4), [""; 0]);
        let mut vistas = certas();
        vistas.conversa.fecha_depois_de = vec!["COMPRAR sem estoque"];
        valem(&multithreading(&vistas, 50), &[1.5, 0.5, 1.0]);
        let [dita] = &observacoes(&vistas, 50, 4)[..] else { panic!("devia ser uma") };
        assert!(dita.contains("depois de responder a COMPRAR sem estoque"), "{dita}");
    }

    #[test]
    fn o_veredito_do_estoque_e_um_e_o_do_aviso_e_outro() {
        let vistas = Evidencias { aviso: Ouvintes::default(), ..certas() };
        assert_eq!(estoque(&vistas).0, Estoque::Consistente);
        assert_eq!(broadcast(&vistas).estado, Estado::NaoCumprido);
        let rodadas = vec![rodada(&[Regra::VendaRepetida])];
        assert_eq!(estoque(&Evidencias { rodadas, ..certas() }).0, Estoque::Inconsistente);
        let rodadas = Vec::new();
        assert_eq!(estoque(&Evidencias { rodadas, ..certas() }).0, Estoque::SemVeredito);
    }
}
