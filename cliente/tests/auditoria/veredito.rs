//! O veredito, por escrito.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::{Aviso, Regra};
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::violacao::Origem;
use cliente::conversa::desfecho::Desfecho::{Comprou, Leu, Recusado};

use crate::exemplos::*;

#[test]
fn uma_venda_certa_passa() {
    let historias = [
        historia(1, vec![operacao(0, 1, Leu(2)), operacao(2, 5, Comprou(1))], &[9]),
        historia(2, vec![operacao(0, 1, Leu(2)), operacao(6, 8, Comprou(0))], &[9]),
        historia(3, vec![operacao(3, 6, Leu(1)), operacao(7, 9, Recusado)], &[9]),
    ];
    for estoque in [None, Some(2)] {
        let veredito = auditar(&historias, estoque);
        let nada: [&str; 0] = [];
        assert_eq!(
            (veredito.violacoes.len(), &veredito.observacoes[..]),
            (0, &nada.map(String::from)[..])
        );
        assert_eq!(
            veredito.to_string(),
            "Veredito do AVISO: certo (3 conexões o ouviram)\nVeredito: CONSISTENTE\n"
        );
    }
}

#[test]
fn sem_historia_nao_ha_contradicao() {
    for estoque in [None, Some(0), Some(10)] {
        for veredito in [auditar(&[], estoque), auditar(&[historia(1, vec![], &[])], estoque)] {
            assert_eq!((veredito.violacoes.len(), veredito.observacoes.len()), (0, 0));
            assert_eq!(veredito.estoque(), Estoque::SemVeredito);
            assert_eq!(veredito.aviso(), Aviso::NaoJulgado);
        }
    }
}

#[test]
fn a_mesma_unidade_duas_vezes() {
    let historias = [so(3, 0, 5, Comprou(4)), so(17, 1, 6, Comprou(4))];
    let veredito = auditar(&historias, None);
    assert_eq!(
        veredito.frase_do_estoque(),
        "INCONSISTENTE: a mesma unidade vendida duas vezes: o usuário 3 comprou e \
         restaram 4 aos 0,005000 s, e o usuário 17 comprou e restaram 4 aos 0,006000 s"
    );
    acusa(
        &historias,
        None,
        Regra::VendaRepetida,
        6,
        &[leitura(3, 0, 5, Origem::Venda, 4), leitura(17, 1, 6, Origem::Venda, 4)],
    );
}

#[test]
fn depois_de_um_texto_que_ninguem_pediu_a_resposta_pode_ser_de_um_pedido_anterior() {
    let atrasada = |dessincronizada_desde| {
        let mut leitor = historia(2, vec![operacao(8, 9, Leu(2))], &[]);
        leitor.conexoes[0].dessincronizada_desde = dessincronizada_desde;
        [historia(1, vec![operacao(5, 6, Comprou(1))], &[]), leitor]
    };
    let estoque = |dessincronizada_desde| auditar(&atrasada(dessincronizada_desde), None).estoque();
    assert_eq!(estoque(None), Estoque::Inconsistente);
    assert_eq!(estoque(Some(ms(3))), Estoque::Consistente);
    assert_eq!(estoque(Some(ms(7))), Estoque::Inconsistente, "dessincronizou-se depois");
}

#[test]
fn o_veredito_inteiro_com_a_contradicao_desenhada_no_tempo() {
    let historias = [
        historia(17, vec![operacao(1, 6, Comprou(4)), sem_resposta(7)], &[]),
        so(3, 0, 5, Comprou(4)),
        so(8, 20, 21, Comprou(-2)),
    ];
    assert_eq!(
        auditar(&historias, Some(5)).to_string(),
        "\
Observação: 1 compra sem resposta: cada uma pode ter sido feita ou não

A primeira contradição, no tempo:
  usuário 3  COMPRAR comprou, restaram 4 ├────────────┤    0,000000 a 0,005000 s
  usuário 17 COMPRAR comprou, restaram 4    ├────────────┤ 0,001000 a 0,006000 s

Veredito do AVISO: não julgado: o estoque não chegou a esgotar
Veredito: INCONSISTENTE: a mesma unidade vendida duas vezes: o usuário 3 comprou e restaram 4 \
aos 0,005000 s, e o usuário 17 comprou e restaram 4 aos 0,006000 s (e mais 2 contradições)
"
    );
}

#[test]
fn a_primeira_contradicao_a_acontecer_e_a_primeira_dita() {
    let historias = [
        historia(1, vec![operacao(0, 5, Comprou(4)), operacao(90, 100, Comprou(-1))], &[]),
        so(2, 1, 6, Comprou(4)),
    ];
    let texto = auditar(&historias, None).frase_do_estoque();
    assert!(texto.starts_with("INCONSISTENTE: a mesma unidade"), "{texto}");
    assert!(texto.ends_with("(e mais 1 contradição)"), "{texto}");
}

#[test]
fn contradicoes_no_mesmo_instante_saem_na_ordem_das_regras() {
    let historias = [
        so(1, 0, 9, Comprou(-1)),
        so(2, 0, 9, Comprou(4)),
        so(3, 0, 9, Comprou(4)),
        so(4, 0, 1, Leu(4)),
        so(5, 5, 9, Leu(7)),
    ];
    let regras: Vec<Regra> =
        auditar(&historias, Some(5)).violacoes.iter().map(|v| v.regra).collect();
    assert_eq!(
        regras,
        [
            Regra::EstoqueNegativo,
            Regra::VendaRepetida,
            Regra::EstoqueSubiu,
            Regra::AcimaDoInicial { inicial: 5 },
            Regra::UnidadeSumiu { restaria: 3, quantas: 4 },
        ]
    );
}
