//! Multithreading (§10): o servidor atende mais de um cliente ao mesmo tempo?

use protocolo::terminal::contar;

use super::comum::{conferencia, outra_lingua, pediu_e_veio};
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::costumes::PRAZO;
use crate::avaliacao::evidencias::{Atras, Conversa, Evidencias};
use crate::tempo::formatar;

/// Multithreading, 3,0: "servidor aceita conexões simultâneas sem bloquear".
pub fn multithreading(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let convidados = vistas.rodadas.iter().map(|rodada| rodada.convidados).min();
    let convidados = convidados.unwrap_or(compradores);
    let tentou = [
        "um cliente conectado e calado; outro pede CONSULTAR".to_owned(),
        "um cliente manda meio comando e para; outro pede CONSULTAR".to_owned(),
        format!("{convidados} clientes conectados ao mesmo tempo, todos consultam"),
    ];
    let [calado, metade] = [&vistas.atras_do_calado, &vistas.atras_da_metade]
        .map(|atras| julgar_atras(atras, &vistas.conversa));
    let todos = julgar_juntos(vistas, convidados);
    let um_por_vez = calado.0 == 0.0 && vistas.rodadas.iter().all(|r| r.atendidos < 2);
    let porque = outra_lingua(vistas);
    let julgar = |(fracao, viu): (f64, String)| match &porque {
        Some(porque) => (0.0, porque.clone()),
        // O que um servidor que atende um por vez responde depressa a um de cada vez não prova nada.
        None if um_por_vez && fracao > 0.0 => {
            (0.0, format!("{viu}; sem pontos, porque atende um cliente por vez"))
        }
        None => (fracao, viu),
    };
    let valores = [1.5, 0.5, 1.0];
    tentou
        .into_iter()
        .zip(valores)
        .zip([calado, metade, todos].map(julgar))
        .map(|((tentou, de), (fracao, viu))| conferencia(tentou, de, fracao, viu))
        .collect()
}

/// O que houve com quem pediu atrás de outro. Bytes que não respondem ao pedido não são resposta, salvo se
/// este servidor nem a um cliente sozinho responde de outro modo.
fn julgar_atras(atras: &Atras, conversa: &Conversa) -> (f64, String) {
    let sozinho = conversa.consultas.first();
    let estranho = sozinho.is_some_and(|troca| troca.resposta.is_some() && !troca.se_entende());
    match atras {
        Atras::Respondido(troca) if troca.se_entende() || estranho => {
            (1.0, format!("respondido em {}", formatar(troca.demora)))
        }
        Atras::Respondido(troca) => (0.0, pediu_e_veio(troca)),
        Atras::SemNinguemNaFrente => {
            (0.0, "o servidor fechou a conexão de quem ainda não tinha pedido nada".into())
        }
        Atras::Bloqueado => {
            let sem = sozinho.is_some_and(|troca| troca.resposta.is_none());
            let porque = if sem {
                "nem um cliente sozinho a tem (veja Protocolo)"
            } else {
                "um cliente bloqueia os outros"
            };
            (0.0, format!("nenhuma resposta em {}: {porque}", formatar(PRAZO)))
        }
    }
}

/// Quantos continuavam conectados depois de atendidos. Uma conexão que o servidor fechou não é simultânea a
/// nenhuma outra.
fn julgar_juntos(vistas: &Evidencias, convidados: usize) -> (f64, String) {
    let atendidos = vistas.rodadas.iter().map(|rodada| rodada.atendidos).min().unwrap_or(0);
    let depois_de = &vistas.conversa.fecha_depois_de;
    if depois_de.contains(&"CONSULTAR") && atendidos < 2 {
        let fecha = "o servidor fecha a conexão depois de responder, e o §5 precisa dela aberta";
        return (0.0, format!("nenhum continuou conectado: {fecha}"));
    }
    // O primeiro qualquer servidor atende.
    let fracao = atendidos.saturating_sub(1) as f64 / (convidados - 1) as f64;
    (fracao, format!("{} na pior rodada", contar(atendidos, "atendido", "atendidos")))
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::{certas, troca, valem};
    use protocolo::Comando;

    #[test]
    fn quem_bloqueia_atras_do_calado_perde_a_metade_e_atras_da_metade_um_sexto() {
        let certas = certas();
        let sem_calado = Evidencias { atras_do_calado: Atras::Bloqueado, ..certas };
        valem(&multithreading(&sem_calado, 50), &[0.0, 0.5, 1.0]);
        let sem_metade = Evidencias { atras_da_metade: Atras::Bloqueado, ..self::certas() };
        valem(&multithreading(&sem_metade, 50), &[1.5, 0.0, 1.0]);
        assert!(multithreading(&sem_metade, 50)[1].viu.contains("nenhuma resposta em 3,00 s"));
    }

    #[test]
    fn os_atendidos_valem_em_proporcao_e_vale_a_pior_rodada() {
        for (atendidos, pontos) in
            [(50, 1.0), (26, 25.0 / 49.0), (2, 1.0 / 49.0), (1, 0.0), (0, 0.0)]
        {
            let mut vistas = certas();
            vistas.rodadas[2].atendidos = atendidos;
            valem(&multithreading(&vistas, 50), &[1.5, 0.5, pontos]);
        }
    }

    #[test]
    fn bytes_que_nao_respondem_nao_sao_atender_dois_ao_mesmo_tempo() {
        let mut vistas = certas();
        vistas.atras_do_calado = Atras::Respondido(troca(Comando::Consultar, "espere a vez"));
        valem(&multithreading(&vistas, 50), &[0.0, 0.5, 1.0]);
        vistas.atras_do_calado = Atras::SemNinguemNaFrente;
        valem(&multithreading(&vistas, 50), &[0.0, 0.5, 1.0]);
        // Um por vez: o que responde ao que já fechou, ou a um só, não vale nada.
        for rodada in &mut vistas.rodadas {
            rodada.atendidos = 1;
        }
        valem(&multithreading(&vistas, 50), &[0.0, 0.0, 0.0]);
    }
}
