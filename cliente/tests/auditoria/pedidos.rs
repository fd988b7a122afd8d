//! A sexta regra: um pedido numerado tem sempre a mesma resposta; e o que as outras dizem de quem insistiu.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Regra;
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::violacao::Origem;
use cliente::conversa::desfecho::Desfecho::{
    self, Comprou, ComprouSemNumero, Estranho, ForaDeAlcance, Leu, Recusado,
};
use cliente::historia::vivido::{Historia, Operacao, Pedido, Qual, Repetida};
use proptest::prelude::*;
use protocolo::Id;

use crate::exemplos::*;
use crate::oraculo::{OQue, Visto, em_historias, ha_ordem};

fn numerada(operacao: Operacao, perguntas: u32, repetida: Option<Repetida>) -> Operacao {
    let pedido = Pedido { id: Id::ler(b"abc-1-1").unwrap(), numero: 1, perguntas, repetida };
    Operacao { pedido: Some(Box::new(pedido)), ..operacao }
}

/// Ouviu `primeira` de 0 a 10, perguntou de novo, e ouviu `segunda` de 20 a 30.
fn ouviu(primeira: Desfecho, segunda: Desfecho) -> Historia {
    let (enviada, chegou) = (ms(20), ms(30));
    let repetida = Repetida { servidor: Qual::default(), enviada, chegou, desfecho: segunda };
    let mut historia = so(1, 0, 10, primeira.clone());
    historia.operacoes = vec![numerada(operacao(0, 10, primeira), 1, Some(repetida))];
    historia
}

#[test]
fn o_mesmo_pedido_com_duas_respostas_e_uma_contradicao_e_as_provas_sao_as_duas() {
    let provas = [leitura(1, 0, 10, Origem::Venda, 4), leitura(1, 20, 30, Origem::Venda, 3)];
    let regra = Regra::DuasRespostas { numero: 1 };
    let historia = ouviu(Comprou(4), Comprou(3));
    acusa(std::slice::from_ref(&historia), None, regra, 30, &provas);
    assert_eq!(
        violacao(&[historia]),
        "o mesmo pedido teve duas respostas (o 1º do usuário 1): o usuário 1 comprou e restaram 4 aos 0,010000 s, \
         e depois o usuário 1 comprou e restaram 3 aos 0,030000 s"
    );
    for (uma, outra) in
        [(Recusado, Comprou(3)), (Comprou(3), Recusado), (ComprouSemNumero, Recusado)]
    {
        let veredito = auditar(&[ouviu(uma, outra)], None);
        assert_eq!(veredito.estoque(), Estoque::Inconsistente);
    }
}

#[test]
fn a_mesma_resposta_ou_uma_que_nao_se_entende_inteira_nao_acusa() {
    let nao_sei = || Estranho("ERRO: Pedido ja atendido, ha tempo demais".into());
    for (uma, outra) in [
        (Comprou(4), Comprou(4)),
        (Recusado, Recusado),
        (Comprou(4), ComprouSemNumero),
        (ComprouSemNumero, Comprou(4)),
        (Comprou(4), ForaDeAlcance),
        (Comprou(4), nao_sei()),
        (nao_sei(), Comprou(4)),
    ] {
        passa(&[ouviu(uma, outra)], None);
    }
    // Se o servidor já tinha dito o que ninguém pediu, a segunda pode ser de outro pedido.
    let mut confusa = ouviu(Comprou(4), Comprou(3));
    confusa.conexoes[0].dessincronizada_desde = Some(ms(5));
    passa(&[confusa], None);
}

#[test]
fn quem_insistiu_pode_ter_comprado_em_qualquer_instante_desde_a_primeira_vez() {
    // A compra valeu logo, e outro já leu o que ficou; a resposta só se ouviu muito depois.
    let insistiu = |enviada| {
        let mut historia = so(1, enviada, 900, Comprou(4));
        historia.operacoes = vec![numerada(operacao(enviada, 900, Comprou(4)), 3, None)];
        historia
    };
    passa(&[insistiu(0), so(2, 50, 60, Leu(4)), so(3, 70, 80, Comprou(3))], Some(5));
    // Mas não antes dela.
    let veredito = auditar(&[insistiu(65), so(2, 50, 60, Leu(4))], None);
    assert_eq!(veredito.violacoes[0].regra, Regra::EstoqueSubiu);
}

#[test]
fn sem_duvidas_a_unidade_vendida_duas_vezes_ao_mesmo_id_nao_tem_onde_se_esconder() {
    // O servidor vendeu a 4, cortou, e ao mesmo id vendeu a 3: ninguém ficou com a 4.
    let mut historia = so(1, 0, 90, Comprou(3));
    historia.operacoes = vec![numerada(operacao(0, 90, Comprou(3)), 2, None)];
    let veredito = auditar(&[historia, so(2, 100, 110, Comprou(2))], Some(5));
    assert_eq!(veredito.violacoes[0].regra.nome(), "unidade-sumiu");
}

/// Uma compra: quanto depois da anterior partiu, e quanto o servidor levou a agir em cada vez que partiu. A resposta de
/// todas as vezes se perdeu, menos a da última.
type Insistencia = (u64, Vec<u64>);

/// O que se viu de um contador que atende estas compras; com `de_novo`, um id repetido compra outra vez. E se alguma
/// unidade se vendeu assim.
fn viver(inicial: i128, compras: &[Insistencia], de_novo: bool) -> (Vec<Visto>, bool) {
    let mut acoes = Vec::new();
    let mut partida = 0;
    let mut partidas = Vec::new();
    for (qual, (espera, vezes)) in compras.iter().enumerate() {
        partida += espera;
        partidas.push(partida);
        let mut quando = partida;
        for demora in vezes {
            quando += demora;
            acoes.push((quando, qual));
        }
    }
    acoes.sort_unstable();
    let mut contador = inicial;
    let mut dadas: Vec<Option<(u64, OQue)>> = vec![None; compras.len()];
    let mut a_mais = false;
    for (quando, qual) in &acoes {
        let resposta = match dadas[*qual] {
            Some((_, dada)) if !de_novo => dada,
            anterior if contador > 0 => {
                contador -= 1;
                a_mais |= matches!(anterior, Some((_, OQue::Comprou(_))));
                OQue::Comprou(contador)
            }
            _ => OQue::Recusado,
        };
        dadas[*qual] = Some((*quando, resposta));
    }
    let visto = |(inicio, dada): (&u64, &Option<(u64, OQue)>)| {
        dada.map(|(fim, o_que)| Visto { inicio: *inicio, fim: fim + 1, o_que })
    };
    let mut vistos: Vec<Visto> = partidas.iter().zip(&dadas).filter_map(visto).collect();
    let depois = acoes.last().map_or(0, |(quando, _)| quando + 5);
    vistos.push(Visto { inicio: depois, fim: depois + 1, o_que: OQue::Leu(contador) });
    (vistos, a_mais)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Quem responde o mesmo ao mesmo id nunca é acusado, por mais que as respostas se percam; quem vende outra vez ao
    /// mesmo id sempre é. O oráculo, que tenta todas as ordens, diz o mesmo.
    #[test]
    fn com_insistencia_a_auditoria_e_o_oraculo_concordam(
        inicial in 0i128..6,
        compras in prop::collection::vec((0u64..4, prop::collection::vec(0u64..6, 1..4)), 1..6),
        de_novo: bool,
    ) {
        let (vistos, a_mais) = viver(inicial, &compras, de_novo);
        let acusado = !auditar(&em_historias(&vistos), Some(inicial as u64)).violacoes.is_empty();
        prop_assert_eq!(acusado, !ha_ordem(&vistos, 0, inicial, false), "{:?}", vistos);
        prop_assert_eq!(acusado && !de_novo, false, "{:?}", vistos);
        prop_assert!(acusado || !a_mais, "{:?}", vistos);
    }
}
