//! O oráculo: tenta todas as ordens, sem saber das regras.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Regra;
use cliente::conversa::desfecho::Desfecho::{Comprou, Estranho, Leu, Recusado};
use cliente::historia::vivido::Historia;
use proptest::prelude::*;

use crate::exemplos::*;

/// Algo que se viu, ou que pode ter acontecido, nesta fatia do tempo.
#[derive(Debug, Clone)]
pub struct Visto {
    pub inicio: u64,
    pub fim: u64,
    pub o_que: OQue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OQue {
    Leu(i128),
    Comprou(i128),
    Recusado,
    Aviso,
    /// COMPRAR sem resposta, ou com uma que não se entende.
    Duvida {
        estranha: bool,
    },
}

/// Há uma ordem que respeita o tempo real e que um contador certo teria? `por_fora` diz se outros
/// também compram.
pub fn ha_ordem(vistos: &[Visto], feitos: u32, contador: i128, por_fora: bool) -> bool {
    let falta = |indice: usize| feitos & (1 << indice) == 0;
    let e_duvida = |visto: &Visto| matches!(visto.o_que, OQue::Duvida { .. });
    if (0..vistos.len()).all(|indice| !falta(indice) || e_duvida(&vistos[indice])) {
        return true;
    }
    for (indice, visto) in vistos.iter().enumerate().filter(|(indice, _)| falta(*indice)) {
        // O AVISO ninguém pediu: pode ler o zero desde o começo.
        let inicio = if visto.o_que == OQue::Aviso { 0 } else { visto.inicio };
        let depois_de_outro = vistos.iter().enumerate().any(|(outro, antes)| {
            outro != indice && falta(outro) && !e_duvida(antes) && antes.fim < inicio
        });
        if depois_de_outro {
            continue;
        }
        let restou = match visto.o_que {
            OQue::Leu(valor) => (contador == valor).then_some(contador),
            OQue::Comprou(valor) => (contador > 0 && contador - 1 == valor).then_some(contador - 1),
            OQue::Recusado | OQue::Aviso => (contador == 0).then_some(0),
            OQue::Duvida { .. } => Some((contador - 1).max(0)),
        };
        let feitos = feitos | 1 << indice;
        if restou.is_some_and(|restou| ha_ordem(vistos, feitos, restou, por_fora)) {
            return true;
        }
    }
    por_fora && contador > 0 && ha_ordem(vistos, feitos, contador - 1, por_fora)
}

pub fn em_historias(vistos: &[Visto]) -> Vec<Historia> {
    let uma = |(indice, visto): (usize, &Visto)| {
        let feita = |desfecho| so(indice + 1, visto.inicio, visto.fim, desfecho);
        match visto.o_que {
            OQue::Leu(valor) => feita(Leu(valor)),
            OQue::Comprou(valor) => feita(Comprou(valor)),
            OQue::Recusado => feita(Recusado),
            OQue::Aviso => historia(indice + 1, vec![], &[visto.fim]),
            OQue::Duvida { estranha: true } => feita(Estranho("?".into())),
            OQue::Duvida { .. } => historia(indice + 1, vec![sem_resposta(visto.inicio)], &[]),
        }
    };
    vistos.iter().enumerate().map(uma).collect()
}

/// O AVISO antes da hora não acusa o estoque, mas é uma ordem que não há.
fn nao_cabe_em_ordem_alguma(vistos: &[Visto], estoque: Option<u64>) -> bool {
    let violacoes = auditar(&em_historias(vistos), estoque).violacoes;
    violacoes.iter().any(|v| v.regra.do_estoque() || v.regra == Regra::AvisoAdiantado)
}

/// O estoque, sem nada que o AVISO diga.
fn o_estoque_e_acusado(vistos: &[Visto], estoque: Option<u64>) -> bool {
    auditar(&em_historias(vistos), estoque).violacoes.iter().any(|v| v.regra.do_estoque())
}

pub fn sem_os_avisos(vistos: &[Visto]) -> Vec<Visto> {
    vistos.iter().filter(|visto| visto.o_que != OQue::Aviso).cloned().collect()
}

/// Respostas quaisquer, certas ou não.
pub fn vistos_quaisquer() -> impl Strategy<Value = Vec<Visto>> {
    let o_que = prop_oneof![
        4 => (-1i128..4).prop_map(OQue::Leu),
        5 => (-1i128..4).prop_map(OQue::Comprou),
        2 => Just(OQue::Recusado),
        1 => Just(OQue::Aviso),
        2 => any::<bool>().prop_map(|estranha| OQue::Duvida { estranha }),
    ];
    let visto = (0u64..8, 0u64..6, o_que).prop_map(|(inicio, dura, o_que)| Visto {
        inicio,
        fim: inicio + dura,
        o_que,
    });
    prop::collection::vec(visto, 0..=6)
}

/// Respostas de um contador certo, em que uma ou outra pode ter saído trocada.
fn vistos_quase_certos() -> impl Strategy<Value = (i128, Vec<Visto>)> {
    let pedido =
        (0u64..4, 0u64..4, 0u64..4, 0u8..10, prop_oneof![9 => Just(0i128), 1 => -2i128..3]);
    (0i128..5, prop::collection::vec(pedido, 0..=6)).prop_map(|(inicial, pedidos)| {
        let mut contador = inicial;
        let um =
            |(indice, (passo, antes, depois, que, troca)): (usize, (u64, u64, u64, u8, i128))| {
                // Os instantes em que o contador age não recuam.
                let agiu = 3 + indice as u64 + passo.saturating_sub(2);
                let vendeu = que >= 4 && contador > 0;
                contador -= i128::from(vendeu);
                let o_que = match que {
                    0..4 => OQue::Leu(contador + troca),
                    _ if que == 9 => OQue::Duvida { estranha: troca == 0 },
                    _ if vendeu => OQue::Comprou(contador + troca),
                    _ if troca == 0 => OQue::Recusado,
                    _ => OQue::Aviso,
                };
                Visto { inicio: agiu.saturating_sub(antes), fim: agiu + depois, o_que }
            };
        (inicial, pedidos.into_iter().enumerate().map(um).collect())
    })
}

/// Com outros compradores, o estoque do começo é livre: basta o maior que alguém diz ter visto.
fn maior(vistos: &[Visto]) -> i128 {
    let viu = |visto: &Visto| match visto.o_que {
        OQue::Leu(valor) => valor,
        OQue::Comprou(valor) => valor + 1,
        _ => 0,
    };
    vistos.iter().map(viu).max().unwrap_or(0).max(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn as_regras_concordam_com_o_oraculo(vistos in vistos_quaisquer(), inicial in 0u64..5) {
        concordam(&vistos, inicial)?;
    }

    #[test]
    fn as_regras_concordam_com_o_oraculo_quando_quase_tudo_esta_certo(
        (inicial, vistos) in vistos_quase_certos(),
    ) {
        concordam(&vistos, inicial as u64)?;
    }
}

/// A auditoria e o oráculo concordam: com o AVISO, se há ordem; sem ele, se o estoque está certo.
fn concordam(vistos: &[Visto], inicial: u64) -> Result<(), TestCaseError> {
    let sem_avisos = sem_os_avisos(vistos);
    let ordem = |vistos: &[Visto], estoque: Option<u64>| match estoque {
        Some(inicial) => ha_ordem(vistos, 0, i128::from(inicial), false),
        None => ha_ordem(vistos, 0, maior(vistos), true),
    };
    for estoque in [Some(inicial), None] {
        let certo = ordem(vistos, estoque);
        prop_assert_eq!(nao_cabe_em_ordem_alguma(vistos, estoque), !certo, "{:?}", estoque);
        let certo = ordem(&sem_avisos, estoque);
        prop_assert_eq!(o_estoque_e_acusado(vistos, estoque), !certo, "o estoque, {:?}", estoque);
    }
    Ok(())
}
