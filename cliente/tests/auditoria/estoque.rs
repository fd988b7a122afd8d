//! Uma história errada por regra do estoque, e as quase erradas.

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Regra;
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::violacao::Origem;
use cliente::conversa::desfecho::Desfecho::{Comprou, Estranho, Leu, Recusado};

use crate::exemplos::*;

#[test]
fn a_venda_abaixo_de_zero_e_estoque_negativo() {
    let ultima = so(1, 0, 5, Comprou(0));
    acusa(
        &[ultima, so(2, 1, 6, Comprou(-1))],
        None,
        Regra::EstoqueNegativo,
        6,
        &[leitura(2, 1, 6, Origem::Venda, -1), leitura(1, 0, 5, Origem::Venda, 0)],
    );
    // Sozinha já é impossível.
    acusa(
        &[so(1, 0, 1, Comprou(-1))],
        None,
        Regra::EstoqueNegativo,
        1,
        &[leitura(1, 0, 1, Origem::Venda, -1)],
    );
    assert!(violacao(&[so(1, 0, 1, Comprou(-1))]).starts_with("estoque negativo: o usuário 1"));
    passa(&[so(1, 0, 5, Comprou(0)), so(2, 1, 6, Recusado)], Some(1));
}

#[test]
fn a_venda_negativa_e_comparada_a_primeira_que_deixou_zero() {
    let historias = [so(1, 0, 9, Comprou(0)), so(2, 0, 4, Comprou(0)), so(3, 0, 1, Comprou(-1))];
    let primeira = &auditar(&historias, None).violacoes[0];
    assert_eq!(primeira.provas[1], leitura(2, 0, 4, Origem::Venda, 0));
}

#[test]
fn as_consultas_que_leem_o_negativo_sao_o_eco_da_venda() {
    let venda = || so(1, 0, 1, Comprou(-1));
    let ecos =
        |usuario| historia(usuario, vec![operacao(2, 3, Leu(-1)), operacao(4, 5, Leu(-1))], &[]);
    assert_eq!(auditar(&[venda(), ecos(2), ecos(3)], None).violacoes.len(), 1);
    acusa(
        &[ecos(2), ecos(3)],
        None,
        Regra::EstoqueNegativo,
        3,
        &[leitura(2, 2, 3, Origem::Consulta, -1)],
    );
}

#[test]
fn cada_venda_repetida_e_acusada_uma_vez() {
    let historias = [so(1, 0, 9, Comprou(4)), so(2, 20, 21, Comprou(4)), so(3, 10, 11, Comprou(4))];
    let violacoes = auditar(&historias, None).violacoes;
    let [antes, depois] = violacoes.as_slice() else { panic!("{violacoes:?}") };
    assert_eq!((antes.regra, antes.quando), (Regra::VendaRepetida, ms(11)));
    assert_eq!((depois.regra, depois.quando), (Regra::VendaRepetida, ms(21)));
    passa(&[so(1, 0, 9, Comprou(4)), so(2, 0, 9, Comprou(3)), so(3, 0, 9, Leu(4))], Some(5));
}

#[test]
fn o_estoque_nao_sobe() {
    for (antes, depois) in [
        (Leu(3), Leu(4)),
        (Leu(3), Comprou(3)),
        (Comprou(3), Leu(4)),
        (Comprou(3), Comprou(4)),
        (Recusado, Comprou(0)),
        (Recusado, Leu(1)),
    ] {
        let seguidas = [so(1, 0, 1, antes.clone()), so(2, 2, 3, depois.clone())];
        let texto = violacao(&seguidas);
        assert!(texto.starts_with("o estoque subiu: o usuário 2"), "{antes:?} {depois:?} {texto}");
        // Ao mesmo tempo, qualquer ordem explica as duas.
        let juntas = [so(1, 0, 2, antes), so(2, 2, 3, depois)];
        assert_eq!(violacao(&juntas), "");
    }
    for (antes, depois) in [
        (Leu(3), Leu(3)),
        (Leu(3), Comprou(2)),
        (Comprou(3), Leu(3)),
        (Comprou(3), Comprou(2)),
        (Leu(3), Recusado),
        (Recusado, Recusado),
        (Recusado, Leu(0)),
    ] {
        passa(&[so(1, 0, 1, antes), so(2, 2, 3, depois)], None);
    }
}

#[test]
fn a_subida_mostra_a_menor_leitura_que_terminou_antes() {
    acusa(
        &[so(1, 0, 1, Leu(3)), so(2, 0, 4, Leu(2)), so(4, 0, 9, Leu(1)), so(3, 5, 6, Leu(4))],
        None,
        Regra::EstoqueSubiu,
        6,
        &[leitura(3, 5, 6, Origem::Consulta, 4), leitura(2, 0, 4, Origem::Consulta, 2)],
    );
}

#[test]
fn a_venda_depois_de_uma_recusa_e_subida() {
    acusa(
        &[so(1, 0, 3, Recusado), so(2, 4, 6, Comprou(5))],
        None,
        Regra::EstoqueSubiu,
        6,
        &[leitura(2, 4, 6, Origem::Venda, 5), leitura(1, 0, 3, Origem::Recusa, 0)],
    );
}

#[test]
fn ler_mais_que_o_do_comeco_e_acusado_se_so_a_multidao_compra() {
    let historias = [so(1, 3, 9, Leu(12)), so(2, 0, 4, Leu(11)), so(3, 0, 20, Leu(13))];
    acusa(
        &historias,
        Some(10),
        Regra::AcimaDoInicial { inicial: 10 },
        4,
        &[leitura(2, 0, 4, Origem::Consulta, 11)],
    );
    passa(&historias[1..2], Some(11));
    passa(&historias[1..2], None);
    // Uma venda que deixa as do começo vendeu uma que não havia.
    acusa(
        &[so(1, 0, 1, Comprou(10))],
        Some(10),
        Regra::AcimaDoInicial { inicial: 10 },
        1,
        &[leitura(1, 0, 1, Origem::Venda, 10)],
    );
    passa(&[so(1, 0, 1, Comprou(9))], Some(10));
}

#[test]
fn a_unidade_que_ninguem_comprou_sumiu() {
    let historias = [so(1, 0, 1, Comprou(4)), so(2, 2, 3, Comprou(3)), so(3, 6, 8, Comprou(1))];
    acusa(
        &historias,
        Some(5),
        Regra::UnidadeSumiu { restaria: 2, quantas: 1 },
        8,
        &[leitura(3, 6, 8, Origem::Venda, 1), leitura(2, 2, 3, Origem::Venda, 3)],
    );
    let texto = auditar(&historias, Some(5)).frase_do_estoque();
    assert!(texto.ends_with("aos 0,008000 s, e ninguém comprou a que deixaria 2"), "{texto}");
    // Outro comprador pode tê-la levado.
    passa(&historias, None);
}

#[test]
fn a_unidade_sumida_aparece_na_primeira_leitura_que_ja_nao_a_ve() {
    acusa(
        &[so(1, 5, 6, Leu(1)), so(2, 3, 9, Leu(0)), so(3, 0, 2, Leu(3)), so(4, 0, 8, Comprou(2))],
        Some(3),
        Regra::UnidadeSumiu { restaria: 1, quantas: 2 },
        6,
        &[leitura(1, 5, 6, Origem::Consulta, 1), leitura(4, 0, 8, Origem::Venda, 2)],
    );
}

#[test]
fn o_aviso_com_o_que_vender_saiu_antes_da_hora() {
    let mut avisado = historia(1, vec![operacao(0, 1, Leu(2))], &[7]);
    avisado.conexoes[0].respondida = None;
    acusa(&[avisado], Some(2), Regra::AvisoAdiantado, 7, &[leitura(1, 0, 7, Origem::Aviso, 0)]);
}

#[test]
fn a_recusa_com_o_que_vender_e_indevida() {
    let historias = [so(1, 0, 5, Comprou(4)), so(2, 6, 7, Recusado)];
    acusa(
        &historias,
        Some(5),
        Regra::RecusaIndevida { restaria: 3, quantas: 4 },
        7,
        &[leitura(2, 6, 7, Origem::Recusa, 0), leitura(1, 0, 5, Origem::Venda, 4)],
    );
    let texto = auditar(&historias, Some(5)).frase_do_estoque();
    assert_eq!(
        texto,
        "INCONSISTENTE: recusa com o que vender: o usuário 2 ouviu que esgotou aos 0,007000 s, e \
         ninguém comprou a que deixaria 3 (nem outras 3)"
    );
    // Outro comprador pode ter levado as quatro.
    passa(&historias, None);
    passa(&[so(1, 0, 5, Comprou(0)), so(2, 4, 7, Recusado)], Some(1));
    passa(&[so(1, 0, 1, Recusado)], Some(0));
}

#[test]
fn o_pedido_sem_resposta_que_partiu_a_tempo_explica_a_unidade_que_falta() {
    for partiu in [0, 5, 7, 8] {
        let duvida = historia(9, vec![sem_resposta(partiu)], &[]);
        passa(&[so(1, 0, 3, Comprou(4)), so(2, 5, 8, Comprou(2)), duvida], Some(5));
    }
}

#[test]
fn o_pedido_sem_resposta_que_partiu_tarde_nao_explica_nada() {
    let duvida = historia(9, vec![sem_resposta(9)], &[]);
    acusa(
        &[so(1, 0, 3, Comprou(4)), so(2, 5, 8, Comprou(2)), duvida],
        Some(5),
        Regra::UnidadeSumiu { restaria: 3, quantas: 1 },
        8,
        &[leitura(2, 5, 8, Origem::Venda, 2), leitura(1, 0, 3, Origem::Venda, 4)],
    );
}

#[test]
fn cada_pedido_sem_resposta_explica_uma_unidade_so() {
    let vendas = || [so(1, 0, 3, Comprou(4)), so(2, 5, 8, Comprou(1))];
    let duvidas = |quantas| historia(9, vec![sem_resposta(1); quantas], &[]);
    let [primeira, segunda] = vendas();
    acusa(
        &[primeira, segunda, duvidas(1)],
        Some(5),
        Regra::UnidadeSumiu { restaria: 2, quantas: 1 },
        8,
        &[leitura(2, 5, 8, Origem::Venda, 1), leitura(1, 0, 3, Origem::Venda, 4)],
    );
    let [primeira, segunda] = vendas();
    passa(&[primeira, segunda, duvidas(2)], Some(5));
}

#[test]
fn o_pedido_que_partiu_cedo_fica_para_a_unidade_que_saiu_cedo() {
    // Faltam a 4 (vista já aos 4) e a 2 (vista aos 20): o pedido dos 10 só serve à segunda.
    let com_duvidas = |partidas: [u64; 2]| {
        let vendas = [(0, 1, 5), (2, 4, 3), (18, 20, 1)];
        let vendas = vendas.map(|(de, ate, restou)| operacao(de, ate, Comprou(restou)));
        let duvidas = partidas.map(sem_resposta);
        [historia(1, vendas.to_vec(), &[]), historia(9, duvidas.to_vec(), &[])]
    };
    passa(&com_duvidas([10, 3]), Some(6));
    acusa(
        &com_duvidas([10, 5]),
        Some(6),
        Regra::UnidadeSumiu { restaria: 4, quantas: 1 },
        4,
        &[leitura(1, 2, 4, Origem::Venda, 3), leitura(1, 0, 1, Origem::Venda, 5)],
    );
    acusa(
        &com_duvidas([21, 3]),
        Some(6),
        Regra::UnidadeSumiu { restaria: 2, quantas: 1 },
        20,
        &[leitura(1, 18, 20, Origem::Venda, 1), leitura(1, 2, 4, Origem::Venda, 3)],
    );
}

#[test]
fn a_resposta_que_nao_se_entende_conta_como_sem_resposta() {
    let comprar = || so(9, 1, 2, Estranho("Obrigado!".into()));
    let vendas = || [so(1, 0, 3, Comprou(4)), so(2, 5, 8, Comprou(2))];
    let [primeira, segunda] = vendas();
    passa(&[primeira, segunda, comprar()], Some(5));
    assert_eq!(
        auditar(&[comprar()], None).observacoes,
        ["1 compra respondida de outro modo: cada uma pode ter sido feita ou não"]
    );
    // CONSULTAR nada compra.
    let mut consultar = comprar();
    consultar.operacoes[0].compra = false;
    let [primeira, segunda] = vendas();
    let veredito = auditar(&[primeira, segunda, consultar], Some(5));
    assert_eq!(veredito.violacoes[0].regra, Regra::UnidadeSumiu { restaria: 3, quantas: 1 });
    assert_eq!(veredito.observacoes, [] as [&str; 0]);
}

#[test]
fn um_estoque_imenso_nao_prende_a_auditoria() {
    let inicial = i128::from(u64::MAX);
    acusa(
        &[so(1, 0, 1, Comprou(inicial - 1)), so(2, 2, 3, Comprou(0))],
        Some(u64::MAX),
        Regra::UnidadeSumiu { restaria: inicial - 2, quantas: inicial - 2 },
        3,
        &[leitura(2, 2, 3, Origem::Venda, 0), leitura(1, 0, 1, Origem::Venda, inicial - 1)],
    );
    let duvidas = historia(3, vec![sem_resposta(0); 1000], &[]);
    acusa(
        &[so(2, 2, 3, Recusado), duvidas],
        Some(u64::MAX),
        Regra::RecusaIndevida { restaria: inicial - 1001, quantas: inicial - 1000 },
        3,
        &[leitura(2, 2, 3, Origem::Recusa, 0)],
    );
    passa(&[so(1, 0, 1, Leu(inicial))], Some(u64::MAX));
}

#[test]
fn numeros_absurdos_nao_derrubam_a_auditoria() {
    let historias = [historia(
        1,
        vec![operacao(0, 1, Leu(i128::MAX)), operacao(2, 3, Comprou(i128::MIN))],
        &[],
    )];
    assert!(violacao(&historias).starts_with("estoque negativo"));
    let extremos = || {
        [i128::MAX, i128::MIN, 0, -1].map(|valor| {
            historia(1, vec![operacao(0, 1, Leu(valor)), operacao(2, 3, Comprou(valor))], &[4])
        })
    };
    for estoque in [None, Some(0), Some(u64::MAX)] {
        let veredito = auditar(&extremos(), estoque);
        assert_eq!(veredito.estoque(), Estoque::Inconsistente);
        assert!(veredito.to_string().contains("INCONSISTENTE"));
    }
}
