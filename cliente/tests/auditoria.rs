//! A auditoria por fora: uma história errada para cada regra, as quase erradas que não se acusam, um
//! contador certo com e sem defeito plantado, e um oráculo que tenta todas as ordens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cliente::auditoria::regra::{Aviso, Regra};
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::violacao::{Leitura, Origem, Violacao};
use cliente::auditoria::{ESPERA_DO_AVISO, TOLERANCIA_DO_AVISO, auditar, quando_visitar};
use cliente::conversa::desfecho::Desfecho::{self, Comprou, Estranho, Leu, Recusado};
use cliente::historia::vivido::{Conexao, Falha, Historia, Operacao};
use proptest::prelude::*;
use proptest::sample::Index;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn operacao(enviada: u64, chegou: u64, desfecho: Desfecho) -> Operacao {
    let compra = !matches!(desfecho, Leu(_));
    Operacao { conexao: 1, compra, enviada: ms(enviada), resposta: Some((ms(chegou), desfecho)) }
}

/// Um COMPRAR que pode ter valido ou não.
fn sem_resposta(enviada: u64) -> Operacao {
    Operacao { conexao: 1, compra: true, enviada: ms(enviada), resposta: None }
}

/// Um usuário com uma conexão, aberta de 0 a 100 s.
fn historia(usuario: usize, operacoes: Vec<Operacao>, avisos: &[u64]) -> Historia {
    let respostas = operacoes.iter().filter_map(|o| o.resposta.as_ref());
    let conexao = Conexao {
        numero: 1,
        respondida: respostas.map(|(quando, _)| *quando).min(),
        fechou: Some(ms(100_000)),
        avisos: avisos.iter().map(|n| ms(*n)).collect(),
        ..Conexao::default()
    };
    Historia { usuario, conexoes: vec![conexao], operacoes, ..Historia::default() }
}

/// Um usuário que fez uma coisa só, e a quem ninguém deve o AVISO.
fn so(usuario: usize, enviada: u64, chegou: u64, desfecho: Desfecho) -> Historia {
    let mut historia = historia(usuario, vec![operacao(enviada, chegou, desfecho)], &[]);
    historia.conexoes[0].respondida = None;
    historia
}

fn leitura(usuario: usize, inicio: u64, fim: u64, origem: Origem, valor: i128) -> Leitura {
    Leitura { usuario, inicio: ms(inicio), fim: ms(fim), origem, valor }
}

fn violacao(historias: &[Historia]) -> String {
    let veredito = auditar(historias, None);
    veredito.violacoes.first().map(|v| v.to_string()).unwrap_or_default()
}

/// A auditoria acusa isto, e só isto.
#[track_caller]
fn acusa(
    historias: &[Historia],
    estoque: Option<u64>,
    regra: Regra,
    quando: u64,
    provas: &[Leitura],
) {
    let esperada = Violacao { regra, quando: ms(quando), provas: provas.to_vec() };
    assert_eq!(auditar(historias, estoque).violacoes, [esperada]);
}

#[track_caller]
fn passa(historias: &[Historia], estoque: Option<u64>) {
    assert_eq!(auditar(historias, estoque).violacoes, []);
}

// ---------------------------------------------------------------------------------------------
// O veredito, por escrito.

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
fn o_parecer_inteiro_com_a_contradicao_desenhada_no_tempo() {
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

// ---------------------------------------------------------------------------------------------
// Uma história errada por regra, e as quase erradas.

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

// ---------------------------------------------------------------------------------------------
// O AVISO.

/// Quem leva a última unidade, de 2000 a 2010.
fn ultimo_comprador() -> Historia {
    historia(1, vec![operacao(0, 1, Leu(1)), operacao(2000, 2010, Comprou(0))], &[2015])
}

/// Quem já ouviu uma resposta e está lá.
fn presente(avisos: &[u64]) -> Historia {
    historia(2, vec![operacao(0, 1, Leu(1))], avisos)
}

const ULTIMA: fn() -> Leitura = || leitura(1, 2000, 2010, Origem::Venda, 0);

#[test]
fn o_aviso_chega_uma_vez_a_cada_conexao() {
    passa(&[ultimo_comprador(), presente(&[2008])], None);
    acusa(
        &[ultimo_comprador(), presente(&[2008, 2009, 2010])],
        None,
        Regra::AvisoRepetido,
        2009,
        &[leitura(2, 0, 2008, Origem::Aviso, 0), leitura(2, 0, 2009, Origem::Aviso, 0)],
    );
    // Em conexões diferentes, cada uma tem o seu.
    let mut dois = presente(&[2008]);
    dois.conexoes.push(Conexao { numero: 2, avisos: vec![ms(2009)], ..Conexao::default() });
    passa(&[ultimo_comprador(), dois], None);
    // Sem que se saiba de venda alguma, dois ainda são demais.
    let texto = violacao(&[historia(2, vec![], &[5, 6])]);
    assert_eq!(
        texto,
        "AVISO repetido: o usuário 2 recebeu o AVISO aos 0,005000 s, e de novo, na mesma conexão: \
         o usuário 2 recebeu o AVISO aos 0,006000 s"
    );
}

#[test]
fn quem_estava_la_e_ficou_deve_ouvir_o_aviso() {
    let limite = 3010;
    let com = |mudar: &dyn Fn(&mut Conexao)| {
        let mut ouvinte = presente(&[]);
        mudar(&mut ouvinte.conexoes[0]);
        [ultimo_comprador(), ouvinte]
    };
    let perdido = |fim| [leitura(2, 0, fim, Origem::Silencio, 0), ULTIMA()];
    acusa(&com(&|_| {}), None, Regra::AvisoPerdido, limite, &perdido(100_000));
    acusa(&com(&|p| p.fechou = None), None, Regra::AvisoPerdido, limite, &perdido(limite));
    let logo_depois = com(&|p| p.fechou = Some(ms(limite + 1)));
    acusa(&logo_depois, None, Regra::AvisoPerdido, limite, &perdido(limite + 1));
    passa(&com(&|p| p.fechou = Some(ms(limite))), None);
    // O servidor pode ainda não conhecer a conexão quando a última unidade saiu.
    let conhecida = com(&|p| p.respondida = Some(ms(1999)));
    acusa(&conhecida, None, Regra::AvisoPerdido, limite, &perdido(100_000));
    passa(&com(&|p| p.respondida = Some(ms(2000))), None);
    passa(&com(&|p| p.respondida = None), None);
    // Com outras palavras, na hora certa; um aviso de antes é de outra coisa.
    passa(&com(&|p| p.outros_avisos = vec![ms(2000)]), None);
    passa(&com(&|p| p.outros_avisos = vec![ms(5), ms(2011)]), None);
    let de_outra_coisa = com(&|p| p.outros_avisos = vec![ms(1999)]);
    acusa(&de_outra_coisa, None, Regra::AvisoPerdido, limite, &perdido(100_000));
    assert_eq!(TOLERANCIA_DO_AVISO, ms(1000));
}

#[test]
fn quem_perdeu_o_aviso_tem_a_frase_com_o_tempo_em_que_esteve_conectado() {
    let mut ouvinte = presente(&[]);
    ouvinte.conexoes[0].conectou = ms(1);
    assert_eq!(
        violacao(&[ultimo_comprador(), ouvinte]),
        "AVISO perdido: o usuário 2, conectado de 0,001000 s a 100,000000 s, nada recebeu, e \
         o usuário 1 comprou e restaram 0 aos 2,010000 s"
    );
}

#[test]
fn o_comprador_da_ultima_unidade_tambem_ouve() {
    let mut comprador = ultimo_comprador();
    comprador.conexoes[0].avisos.clear();
    acusa(
        &[comprador],
        None,
        Regra::AvisoPerdido,
        3010,
        &[leitura(1, 0, 100_000, Origem::Silencio, 0), ULTIMA()],
    );
}

#[test]
fn o_aviso_nao_chega_a_quem_so_conectou_depois() {
    let atrasado = |pediu| {
        let mut historia = historia(3, vec![operacao(4000, 4001, Leu(0))], &[4002]);
        historia.conexoes[0].pediu = ms(pediu);
        [ultimo_comprador(), historia]
    };
    acusa(
        &atrasado(3011),
        None,
        Regra::AvisoAQuemChegouDepois,
        4002,
        &[leitura(3, 0, 4002, Origem::Aviso, 0), ULTIMA()],
    );
    assert_eq!(
        violacao(&atrasado(3011)),
        "AVISO a quem chegou depois: o usuário 3 recebeu o AVISO aos 4,002000 s, e só conectou depois que \
         o usuário 1 comprou e restaram 0 aos 2,010000 s"
    );
    // Pouco depois, pode tê-lo pego enquanto saía.
    passa(&atrasado(3010), None);
}

#[test]
fn aviso_antes_da_hora() {
    let historias = [
        historia(1, vec![operacao(0, 1, Leu(2))], &[1]),
        historia(2, vec![operacao(2, 3, Comprou(1))], &[]),
    ];
    assert_eq!(
        violacao(&historias),
        "AVISO antes da hora: o usuário 1 recebeu o AVISO aos 0,001000 s, e depois disso o usuário 2 \
         comprou e restaram 1 aos 0,003000 s"
    );
    acusa(
        &historias,
        None,
        Regra::AvisoAdiantado,
        3,
        &[leitura(1, 0, 1, Origem::Aviso, 0), leitura(2, 2, 3, Origem::Venda, 1)],
    );
    // Enquanto a última venda está em curso, já pode ser a hora.
    passa(&[historia(1, vec![], &[2]), so(2, 2, 3, Comprou(0))], None);
}

#[test]
fn o_aviso_errado_nao_diz_que_o_estoque_esta_errado() {
    let sem_aviso = [ultimo_comprador(), presente(&[])];
    let duas_vezes = [ultimo_comprador(), presente(&[2011, 2012])];
    let antes = [ultimo_comprador(), presente(&[1999])];
    for (historias, aviso) in
        [(sem_aviso, Aviso::Faltou), (duas_vezes, Aviso::Repetido), (antes, Aviso::Adiantado)]
    {
        let veredito = auditar(&historias, None);
        assert_eq!((veredito.estoque(), veredito.aviso()), (Estoque::Consistente, aviso));
        assert_eq!(veredito.frase_do_estoque(), "CONSISTENTE");
        let frase = veredito.frase_do_aviso();
        assert!(frase.starts_with(&format!("{}: AVISO ", aviso.palavras())), "{frase}");
    }
    // E o estoque errado não diz nada do AVISO.
    let repetida = [ultimo_comprador(), so(9, 2000, 2010, Comprou(0)), presente(&[2011])];
    let veredito = auditar(&repetida, None);
    assert_eq!((veredito.estoque(), veredito.aviso()), (Estoque::Inconsistente, Aviso::Certo));
    assert!(!veredito.frase_do_estoque().contains("e mais"), "{}", veredito.frase_do_estoque());
}

#[test]
fn o_aviso_que_demora_e_atraso_e_nao_perda() {
    let ouviu_aos = |comprador: u64, outro: u64| {
        let mut historias = [ultimo_comprador(), presente(&[outro])];
        historias[0].conexoes[0].avisos = vec![ms(comprador)];
        historias
    };
    let depois = ms(1500);
    acusa(
        &ouviu_aos(3510, 3520),
        None,
        Regra::AvisoAtrasado { depois },
        3510,
        &[leitura(1, 0, 3510, Origem::Aviso, 0), ULTIMA()],
    );
    assert!(violacao(&ouviu_aos(3510, 3520)).starts_with("AVISO atrasado, chegou 1,50 s depois: "));
    passa(&ouviu_aos(3010, 3010), None);
    // Se o primeiro chegou na hora, os outros podem ter esperado o processador: só se observa.
    let devagar = auditar(&ouviu_aos(2015, 3510), None);
    assert_eq!(devagar.aviso(), Aviso::Certo);
    assert_eq!(devagar.observacoes, ["o AVISO levou 1,50 s para chegar a todos"]);
    // Mas não por mais que a espera.
    let depois = ESPERA_DO_AVISO + ms(1);
    acusa(
        &ouviu_aos(2015, 5011),
        None,
        Regra::AvisoAtrasado { depois },
        5011,
        &[leitura(2, 0, 5011, Origem::Aviso, 0), ULTIMA()],
    );
    // Quem foi embora enquanto ele ainda chegava a outros não o perdeu.
    let mut cedo = presente(&[]);
    cedo.conexoes[0].fechou = Some(ms(3300));
    let [comprador, outro] = ouviu_aos(3510, 3520);
    let regras = auditar(&[comprador, outro, cedo], None).violacoes;
    assert_eq!(regras.iter().map(|v| v.regra.nome()).collect::<Vec<_>>(), ["aviso-atrasado"]);
}

#[test]
fn so_se_visita_depois_da_tolerancia_e_se_ninguem_ja_o_fez() {
    let mut historias = vec![ultimo_comprador(), presente(&[2011])];
    assert_eq!(quando_visitar(&historias), Some(ms(3011)));
    let mut depois = historia(3, vec![operacao(4000, 4001, Leu(0))], &[]);
    depois.conexoes[0].pediu = ms(3011);
    historias.push(depois);
    assert_eq!(quando_visitar(&historias), None, "já houve quem chegasse depois");
    let mut sem_aviso = [ultimo_comprador(), presente(&[])];
    sem_aviso[0].conexoes[0].avisos.clear();
    assert_eq!(quando_visitar(&sem_aviso), None, "faltou: já se sabe");
    assert_eq!(quando_visitar(&[so(1, 0, 1, Leu(5))]), None, "não esgotou");
}

#[test]
fn o_que_nao_se_pode_julgar_do_aviso_e_dito() {
    let porque = |historias: &[Historia]| {
        let veredito = auditar(historias, None);
        assert_eq!(veredito.aviso(), Aviso::NaoJulgado);
        veredito.ouviram.unwrap_err().to_string()
    };
    let sobrou = [so(1, 0, 1, Leu(5)), so(2, 2, 3, Comprou(4))];
    assert_eq!(porque(&sobrou), "o estoque não chegou a esgotar");
    let vazio = [so(1, 0, 1, Leu(0)), so(2, 2, 3, Recusado)];
    assert_eq!(porque(&vazio), "o estoque já estava esgotado quando a multidão chegou");
    let mut foi_embora = presente(&[]);
    foi_embora.conexoes[0].fechou = Some(ms(3000));
    let ninguem = [so(1, 2000, 2010, Comprou(0)), foi_embora];
    assert!(porque(&ninguem).starts_with("ninguém que já conversava"), "{}", porque(&ninguem));
    let mut outras_palavras = presente(&[]);
    outras_palavras.conexoes[0].outros_avisos = vec![ms(2011)];
    let historias = [so(1, 2000, 2010, Comprou(0)), outras_palavras];
    assert_eq!(porque(&historias), "chegou algo em outras palavras, que não se reconhecem");
}

#[test]
fn o_aviso_e_devido_mesmo_se_a_multidao_nao_viu_a_ultima_venda() {
    // O usuário 1 leu 1 de 500 a 501; o 3 ouviu que esgotou de 600 a 605: nesse meio-tempo, acabou.
    let historias = |avisos: &[u64]| {
        let duvida = historia(4, vec![sem_resposta(505)], &[]);
        let mut recusado = so(3, 600, 605, Recusado);
        recusado.conexoes[0].respondida = Some(ms(605));
        [so_avisado(1, 500, 501, Leu(1)), presente(avisos), recusado, duvida]
    };
    let mut perdeu = historias(&[]);
    perdeu[0].conexoes[0].respondida = Some(ms(501));
    for estoque in [None, Some(1)] {
        acusa(
            &perdeu,
            estoque,
            Regra::AvisoPerdido,
            1540,
            &[leitura(2, 0, 100_000, Origem::Silencio, 0), leitura(1, 0, 540, Origem::Aviso, 0)],
        );
        passa(&historias(&[560]), estoque);
    }
    // Quem só foi conhecido depois de a última unidade ser vista pode ter chegado tarde.
    perdeu[1].conexoes[0].respondida = Some(ms(500));
    passa(&perdeu, None);
    perdeu[1].conexoes[0].respondida = Some(ms(1));
    perdeu[1].conexoes[0].fechou = Some(ms(1540));
    passa(&perdeu, None);
}

/// Como [`so`], e ouviu o AVISO aos 540.
fn so_avisado(usuario: usize, enviada: u64, chegou: u64, desfecho: Desfecho) -> Historia {
    historia(usuario, vec![operacao(enviada, chegou, desfecho)], &[540])
}

#[test]
fn o_aviso_atrasado_se_ve_mesmo_sem_a_ultima_venda() {
    let atrasado = |pediu| {
        let mut historia = historia(3, vec![], &[4002]);
        historia.conexoes[0].pediu = ms(pediu);
        [so(1, 500, 505, Recusado), historia]
    };
    acusa(
        &atrasado(1506),
        None,
        Regra::AvisoAQuemChegouDepois,
        4002,
        &[leitura(3, 0, 4002, Origem::Aviso, 0), leitura(1, 500, 505, Origem::Recusa, 0)],
    );
    passa(&atrasado(1505), None);
}

#[test]
fn sem_esgotamento_ninguem_deve_o_aviso() {
    // Sobrou; ou já estava vazio quando a multidão chegou.
    passa(&[so(1, 0, 1, Leu(5)), so(2, 2, 3, Comprou(4))], Some(5));
    for estoque in [None, Some(0)] {
        passa(&[so(1, 0, 1, Leu(0)), so(2, 2000, 2001, Recusado)], estoque);
    }
}

#[test]
fn com_o_contador_quebrado_o_aviso_perdido_se_conta_do_primeiro_zero() {
    // Zero aos 10, e depois ainda se leu 3: quem só chegou no meio não devia nada.
    let mut do_meio = so(2, 100, 110, Leu(0));
    do_meio.conexoes[0].respondida = Some(ms(110));
    let historias = [so(1, 5, 10, Leu(0)), so(3, 200, 201, Leu(3)), do_meio];
    let regras: Vec<Regra> = auditar(&historias, None).violacoes.iter().map(|v| v.regra).collect();
    assert_eq!(regras, [Regra::EstoqueSubiu]);
}

// ---------------------------------------------------------------------------------------------
// O que não se pode afirmar.

#[test]
fn a_unidade_que_falta_entre_duas_vendas_e_observada() {
    let vendas = || vec![operacao(0, 1, Comprou(3)), operacao(2, 3, Comprou(1))];
    let veredito = auditar(&[historia(1, vendas(), &[])], None);
    assert_eq!(
        veredito.observacoes,
        ["1 unidade sem comprador conhecido: outros as compraram, as respostas se perderam \
          (se só esta multidão compra, diga --estoque, e ela poderá afirmar)"]
    );
    // Se ela compra sozinha, é contradição, e não observação.
    let veredito = auditar(&[historia(1, vendas(), &[])], Some(4));
    assert_eq!(veredito.observacoes, [] as [&str; 0]);
    assert_eq!(veredito.estoque(), Estoque::Inconsistente);
}

#[test]
fn o_que_nao_se_pode_afirmar_e_so_observado() {
    let mut perdida = operacao(2, 3, Comprou(0));
    perdida.resposta = None;
    let historias = [
        historia(1, vec![operacao(0, 1, Leu(10)), perdida], &[]),
        historia(2, vec![operacao(5, 6, Comprou(7)), operacao(7, 8, Comprou(1))], &[]),
    ];
    let veredito = auditar(&historias, None);
    assert_eq!(veredito.estoque(), Estoque::Consistente);
    assert_eq!(
        veredito.observacoes,
        [
            "1 compra sem resposta: cada uma pode ter sido feita ou não",
            "7 unidades sem comprador conhecido: outros as compraram, as respostas se perderam \
             (se só esta multidão compra, diga --estoque, e ela poderá afirmar)",
        ]
    );
}

#[test]
fn a_recusa_com_unidades_sem_comprador_so_e_suspeita() {
    let historias = [so(1, 0, 1, Comprou(2)), so(2, 2, 3, Recusado)];
    let veredito = auditar(&historias, None);
    assert_eq!(veredito.estoque(), Estoque::Consistente);
    assert_eq!(
        veredito.to_string(),
        "Observação: 2 unidades sem comprador conhecido: outros as compraram, as respostas se \
         perderam, ou o servidor recusou com estoque (se só esta multidão compra, diga --estoque, \
         e ela poderá afirmar)\nVeredito do AVISO: não julgado: ninguém que já conversava com o servidor \
         ficou conectado por 1,00 s depois do esgotamento\nVeredito: CONSISTENTE\n"
    );
}

#[test]
fn quem_chega_com_tudo_vendido_fica_sabendo() {
    let historias = [historia(1, vec![operacao(0, 1, Leu(0)), operacao(2, 3, Recusado)], &[])];
    let veredito = auditar(&historias, None);
    assert_eq!(veredito.estoque(), Estoque::Consistente);
    assert_eq!(veredito.observacoes, ["o estoque já estava esgotado quando a multidão chegou"]);
    // Quem ouviu que comprou não chegou tarde, nem se o restante é absurdo.
    for restou in [0, -1] {
        let veredito = auditar(&[so(1, 0, 1, Comprou(restou))], None);
        assert_eq!(veredito.observacoes, [] as [&str; 0]);
    }
}

// ---------------------------------------------------------------------------------------------
// Sem o que julgar.

#[test]
fn sem_venda_que_se_veja_nao_ha_veredito_sobre_as_vendas() {
    let erro = || Estranho("Erro interno".into());
    let porque = |historias: &[Historia]| {
        let veredito = auditar(historias, None);
        assert_eq!(veredito.estoque(), Estoque::SemVeredito, "{historias:?}");
        let frase = veredito.frase_do_estoque();
        frase.strip_prefix("SEM VEREDITO sobre as vendas: ").unwrap().to_owned()
    };
    let leu = || so(1, 0, 1, Leu(10));
    assert_eq!(porque(&[leu()]), "nenhum COMPRAR chegou a ser enviado");
    let mut caiu = leu();
    caiu.falhas.push((ms(2), Falha::Fechada));
    assert!(porque(&[caiu]).starts_with("o servidor fechou a conexão antes de cada compra"));
    let calado = historia(2, vec![sem_resposta(3)], &[]);
    let sem = "nenhuma resposta a COMPRAR chegou, e 1 COMPRAR ficou sem resposta";
    assert_eq!(porque(&[leu(), calado.clone()]), sem);
    let outra = so(2, 3, 9, Estranho("Depois".into()));
    assert_eq!(
        porque(&[leu(), outra, so(3, 4, 5, erro())]),
        "nenhuma resposta a COMPRAR foi entendida; a primeira foi 'Erro interno'"
    );
    // As recusas se entendem, mas o que se vendeu, se algo se vendeu, ninguém viu.
    let vendeu_errado = [leu(), so(3, 4, 5, erro()), so(4, 8, 9, Recusado)];
    assert_eq!(
        porque(&vendeu_errado),
        "nenhuma venda foi entendida; a primeira foi 'Erro interno'"
    );
    // Uma contradição nas consultas se acusa assim mesmo.
    let subiu = [leu(), so(2, 2, 3, Leu(11)), so(3, 4, 5, erro())];
    assert_eq!(auditar(&subiu, None).estoque(), Estoque::Inconsistente);
    for julgavel in [
        vec![leu(), so(2, 2, 3, Comprou(9)), so(3, 4, 5, erro())],
        vec![so(1, 0, 1, Leu(0)), so(2, 2, 3, Recusado), calado],
        vec![leu(), so(4, 8, 9, Recusado)],
    ] {
        assert_eq!(auditar(&julgavel, None).estoque(), Estoque::Consistente, "{julgavel:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// Um contador certo, visto por uma multidão.

/// Um pedido: quando parte, quando o contador age e quando a resposta chega, cada um depois do outro.
#[derive(Debug, Clone)]
struct Pedido {
    espera: u64,
    ate_agir: u64,
    ate_chegar: u64,
    que: Pede,
    reconecta: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pede {
    Consultar,
    Comprar,
    /// A resposta se perdeu: valeu, muito depois, ou não.
    SemResposta {
        valeu: bool,
    },
    /// A resposta não se entende: valeu ou não.
    Estranha {
        valeu: bool,
    },
}

/// O que vai acontecer, antes de acontecer.
#[derive(Debug, Clone)]
struct Plano {
    inicial: u64,
    usuarios: Vec<Vec<Pedido>>,
    /// Quando outros, fora da multidão, compram.
    por_fora: Vec<u64>,
    /// Quanto o AVISO demora até cada usuário; sempre menos que a tolerância.
    demoras: Vec<u64>,
}

/// Depois de tudo o que um plano faz.
const FIM: u64 = 1_000_000;

fn planos() -> impl Strategy<Value = Plano> {
    let que = prop_oneof![
        4 => Just(Pede::Consultar),
        5 => Just(Pede::Comprar),
        1 => any::<bool>().prop_map(|valeu| Pede::SemResposta { valeu }),
        1 => any::<bool>().prop_map(|valeu| Pede::Estranha { valeu }),
    ];
    let pedido = (0u64..700, 0u64..300, 0u64..300, que, prop::bool::weighted(0.2)).prop_map(
        |(espera, ate_agir, ate_chegar, que, reconecta)| Pedido {
            espera,
            ate_agir,
            ate_chegar,
            que,
            reconecta,
        },
    );
    let usuarios = prop::collection::vec(prop::collection::vec(pedido, 0..12), 1..6);
    (
        0u64..14,
        usuarios,
        prop::collection::vec(0u64..4000, 0..5),
        prop::collection::vec(0u64..1000, 8),
    )
        .prop_map(|(inicial, usuarios, por_fora, demoras)| Plano {
            inicial,
            usuarios,
            por_fora,
            demoras,
        })
}

impl Plano {
    fn sem_outros_compradores(mut self) -> Self {
        self.por_fora.clear();
        self
    }

    fn com_todas_as_respostas(mut self) -> Self {
        for pedido in self.usuarios.iter_mut().flatten() {
            if !matches!(pedido.que, Pede::Consultar) {
                pedido.que = Pede::Comprar;
            }
        }
        self.sem_outros_compradores()
    }

    /// Vive o plano com um contador certo. Com `ate_esgotar`, um vigia (o penúltimo) está lá do
    /// começo ao fim, e o último compra, depois de todos, o que restar, e lê o zero.
    fn viver(&self, ate_esgotar: bool) -> Vec<Historia> {
        // Quem age quando: o usuário e a operação dele, ou alguém de fora.
        let mut age: Vec<(u64, Option<(usize, usize)>)> = Vec::new();
        let mut historias: Vec<Historia> = Vec::new();
        for (indice, pedidos) in self.usuarios.iter().enumerate() {
            historias.push(viver_sozinho(indice, pedidos, &mut age));
        }
        if ate_esgotar {
            let consultas = [(0, 1), (3, 4)].map(|(de, ate)| operacao(de, ate, Leu(0)));
            let mut vigia = historia(historias.len() + 1, consultas.to_vec(), &[]);
            vigia.conexoes[0].fechou = Some(ms(FIM));
            age.extend([(0, Some((historias.len(), 0))), (3, Some((historias.len(), 1)))]);
            historias.push(vigia);
        }
        age.extend(self.por_fora.iter().map(|quando| (*quando + 10, None)));
        age.sort_by_key(|(quando, _)| *quando);

        let mut contador = i128::from(self.inicial);
        let mut esgotou = None;
        let mut agora = 5000;
        for (quando, quem) in age {
            agora = agora.max(quando);
            let vende = match quem {
                None => true,
                Some((usuario, qual)) => {
                    let operacao = &mut historias[usuario].operacoes[qual];
                    let compra = operacao.compra;
                    if let Some((_, desfecho)) = &mut operacao.resposta {
                        match (compra, contador) {
                            _ if matches!(desfecho, Estranho(_)) => {}
                            (false, _) => *desfecho = Leu(contador),
                            (true, 0) => *desfecho = Recusado,
                            (true, _) => *desfecho = Comprou(contador - 1),
                        }
                    }
                    compra
                }
            };
            if vende && contador > 0 {
                contador -= 1;
                esgotou = esgotou.or((contador == 0).then_some(quando));
            }
        }
        if ate_esgotar {
            let mut ultimo = Vec::new();
            while contador > 0 {
                contador -= 1;
                agora += 10;
                esgotou = Some(agora);
                ultimo.push(operacao(agora - 1, agora + 1, Comprou(contador)));
            }
            ultimo.push(operacao(agora + 10, agora + 11, Leu(0)));
            historias.push(historia(historias.len() + 1, ultimo, &[]));
        }
        for (historia, demora) in historias.iter_mut().zip(&self.demoras) {
            for conexao in &mut historia.conexoes {
                let Some(esgotou) = esgotou else { continue };
                let chega = ms(esgotou + demora);
                let estava = conexao.conectou <= ms(esgotou);
                if estava && conexao.fechou.is_none_or(|fechou| fechou > chega) {
                    conexao.avisos.push(chega);
                }
            }
        }
        historias
    }
}

/// Um usuário é sequencial: um pedido só parte depois da resposta ao anterior.
fn viver_sozinho(
    indice: usize,
    pedidos: &[Pedido],
    age: &mut Vec<(u64, Option<(usize, usize)>)>,
) -> Historia {
    let mut agora = 10;
    let mut historia = Historia { usuario: indice + 1, ..Historia::default() };
    for pedido in pedidos {
        if pedido.reconecta || historia.conexoes.is_empty() {
            if let Some(conexao) = historia.conexoes.last_mut() {
                conexao.fechou = Some(ms(agora));
            }
            historia.conexoes.push(Conexao {
                numero: historia.conexoes.len() as u32 + 1,
                pediu: ms(agora),
                conectou: ms(agora + 1),
                ..Conexao::default()
            });
            agora += 1;
        }
        let enviada = agora + pedido.espera;
        let agiu = enviada + pedido.ate_agir;
        let chegou = agiu + pedido.ate_chegar;
        agora = chegou;
        let conexao = historia.conexoes.last_mut().unwrap();
        let qual = historia.operacoes.len();
        let (desfecho, valeu) = match pedido.que {
            // O contador dirá quanto.
            Pede::Consultar | Pede::Comprar => (Some(Leu(0)), Some(agiu)),
            Pede::SemResposta { valeu } => (None, valeu.then_some(agiu + pedido.ate_chegar * 5)),
            Pede::Estranha { valeu } => (Some(Estranho("?".into())), valeu.then_some(agiu)),
        };
        if desfecho.is_some() {
            conexao.respondida.get_or_insert(ms(chegou));
        }
        age.extend(valeu.map(|quando| (quando, Some((indice, qual)))));
        historia.operacoes.push(Operacao {
            conexao: conexao.numero,
            compra: !matches!(pedido.que, Pede::Consultar),
            enviada: ms(enviada),
            resposta: desfecho.map(|desfecho| (ms(chegou), desfecho)),
        });
    }
    if let Some(conexao) = historia.conexoes.last_mut() {
        conexao.fechou = indice.is_multiple_of(2).then_some(ms(agora + 1500));
    }
    historia
}

/// Os defeitos que se plantam. Cada um se contradiz com certeza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defeito {
    UnidadeVendidaDeNovo,
    VendaDepoisDaRecusa,
    VendaNegativa,
    LeituraQueSobe,
    ConsultaVelha,
    UnidadePerdida,
    RecusaComEstoque,
    AvisoDuasVezes,
    AvisoQueNaoVeio,
    AvisoAQuemChegouDepois,
    AvisoAntesDaHora,
}

impl Defeito {
    const TODOS: [Defeito; 11] = [
        Defeito::UnidadeVendidaDeNovo,
        Defeito::VendaDepoisDaRecusa,
        Defeito::VendaNegativa,
        Defeito::LeituraQueSobe,
        Defeito::ConsultaVelha,
        Defeito::UnidadePerdida,
        Defeito::RecusaComEstoque,
        Defeito::AvisoDuasVezes,
        Defeito::AvisoQueNaoVeio,
        Defeito::AvisoAQuemChegouDepois,
        Defeito::AvisoAntesDaHora,
    ];

    /// A unidade que some e a recusa indevida só se afirmam quando a multidão compra sozinha.
    fn pede_o_estoque(self) -> bool {
        matches!(self, Defeito::UnidadePerdida | Defeito::RecusaComEstoque)
    }

    /// Os nomes das regras que podem acusá-lo.
    fn regras(self) -> &'static [&'static str] {
        match self {
            Defeito::UnidadeVendidaDeNovo => &["venda-repetida"],
            Defeito::VendaNegativa => &["estoque-negativo"],
            // Se a unidade já tinha dono, é a mesma contradição.
            Defeito::VendaDepoisDaRecusa => &["estoque-subiu", "venda-repetida"],
            Defeito::LeituraQueSobe | Defeito::ConsultaVelha => &["estoque-subiu"],
            Defeito::AvisoAntesDaHora => &["aviso-adiantado"],
            Defeito::UnidadePerdida => &["unidade-sumiu", "recusa-indevida"],
            Defeito::RecusaComEstoque => &["recusa-indevida"],
            Defeito::AvisoDuasVezes => &["aviso-repetido"],
            Defeito::AvisoQueNaoVeio => &["aviso-perdido"],
            Defeito::AvisoAQuemChegouDepois => &["aviso-a-quem-chegou-depois"],
        }
    }

    /// A história do plano, com este defeito.
    fn plantar(self, mut plano: Plano, sorteio: Index, quanto: u64) -> Vec<Historia> {
        plano.inicial += 1;
        if self.pede_o_estoque() {
            plano = plano.com_todas_as_respostas();
        }
        if self == Defeito::RecusaComEstoque {
            // Sempre sobra.
            plano.inicial += plano.usuarios.iter().flatten().count() as u64;
            let mut historias = plano.viver(false);
            let quando = sorteio.index(6000) as u64;
            historias.push(so(99, quando, quando + quanto, Recusado));
            return historias;
        }
        if self == Defeito::UnidadeVendidaDeNovo || self == Defeito::ConsultaVelha {
            // Ao menos uma venda que se vê: o último compra a última.
            plano.inicial += plano.usuarios.iter().flatten().count() as u64 + 5;
        }
        let mut historias = plano.viver(true);
        let sorteada = |quais: &dyn Fn(&Desfecho) -> bool| {
            let iguais: Vec<(u64, u64, Desfecho)> = historias
                .iter()
                .flat_map(|h| &h.operacoes)
                .filter_map(|o| Some((o.enviada, o.resposta.clone()?)))
                .filter(|(_, (_, desfecho))| quais(desfecho))
                .map(|(de, (ate, desfecho))| {
                    (de.as_millis() as u64, ate.as_millis() as u64, desfecho)
                })
                .collect();
            (!iguais.is_empty()).then(|| iguais[sorteio.index(iguais.len())].clone())
        };
        let venda = sorteada(&|desfecho| matches!(desfecho, Comprou(_)));
        let leu = |desfecho: &Desfecho| match desfecho {
            Leu(valor) | Comprou(valor) => *valor,
            _ => 0,
        };
        match self {
            Defeito::UnidadeVendidaDeNovo => {
                let (_, _, desfecho) = venda.expect("há venda");
                let quando = sorteio.index(9000) as u64;
                historias.push(so(99, quando, quando + quanto, desfecho));
            }
            Defeito::VendaDepoisDaRecusa => {
                historias.push(so(98, FIM, FIM + quanto, Recusado));
                let depois = FIM + quanto + 1;
                historias.push(so(99, depois, depois + quanto, Comprou(i128::from(quanto) % 5)));
            }
            Defeito::VendaNegativa => {
                let quando = sorteio.index(9000) as u64;
                let valor = -1 - i128::from(quanto) % 3;
                historias.push(so(99, quando, quando + quanto, Comprou(valor)));
            }
            Defeito::LeituraQueSobe => {
                let (_, fim, desfecho) =
                    sorteada(&|desfecho| !matches!(desfecho, Estranho(_))).expect("há leitura");
                let valor = leu(&desfecho) + 1 + i128::from(quanto) % 3;
                historias.push(so(99, fim + 1, fim + 1 + quanto, Leu(valor)));
            }
            Defeito::ConsultaVelha => {
                let (_, fim, desfecho) = venda.expect("há venda");
                historias.push(so(99, fim + 1, fim + 1 + quanto, Leu(leu(&desfecho) + 1)));
            }
            Defeito::UnidadePerdida => {
                let (enviada, _, desfecho) = venda.expect("há venda");
                let e_ela = |o: &Operacao| {
                    o.enviada == ms(enviada)
                        && o.resposta.as_ref().is_some_and(|(_, outro)| *outro == desfecho)
                };
                historias.iter_mut().for_each(|h| h.operacoes.retain(|o| !e_ela(o)));
            }
            Defeito::AvisoDuasVezes => {
                let conexoes = historias.iter_mut().flat_map(|h| &mut h.conexoes);
                let mut avisadas: Vec<&mut Conexao> =
                    conexoes.filter(|p| !p.avisos.is_empty()).collect();
                let qual = sorteio.index(avisadas.len());
                let de_novo = avisadas[qual].avisos[0] + ms(quanto);
                avisadas[qual].avisos.push(de_novo);
            }
            Defeito::AvisoQueNaoVeio => {
                let vigia = historias.len() - 2;
                assert_eq!(historias[vigia].conexoes[0].avisos.len(), 1);
                historias[vigia].conexoes[0].avisos.clear();
            }
            Defeito::AvisoAQuemChegouDepois => {
                // Todo esgotamento já foi visto antes de FIM - 1001.
                let mut depois = historia(99, vec![], &[FIM + quanto]);
                depois.conexoes[0].pediu = ms(FIM);
                historias.push(depois);
            }
            Defeito::AvisoAntesDaHora => {
                let (enviada, _, _) = venda.unwrap_or((3, 4, Leu(1)));
                historias.push(historia(99, vec![], &[enviada - 1 - quanto % 2]));
            }
            Defeito::RecusaComEstoque => unreachable!("já plantada"),
        }
        historias
    }

    fn inicial_de(self, plano: &Plano) -> Option<u64> {
        let pedidos = plano.usuarios.iter().flatten().count() as u64;
        match self {
            Defeito::UnidadePerdida => Some(plano.inicial + 1),
            Defeito::RecusaComEstoque => Some(plano.inicial + 1 + pedidos),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn um_contador_certo_passa_com_so_esta_multidao(plano in planos(), ate_esgotar: bool) {
        let plano = plano.sem_outros_compradores();
        let historias = plano.viver(ate_esgotar);
        prop_assert_eq!(auditar(&historias, Some(plano.inicial)).violacoes, []);
        prop_assert_eq!(auditar(&historias, None).violacoes, []);
    }

    #[test]
    fn um_contador_certo_passa_com_outros_compradores(plano in planos(), ate_esgotar: bool) {
        prop_assert_eq!(auditar(&plano.viver(ate_esgotar), None).violacoes, []);
    }

    #[test]
    fn uma_historia_parcial_de_um_contador_certo_passa(plano in planos(), ate in 0u64..6000) {
        // A simulação parou: o que estava em curso ficou sem resposta, e o resto não aconteceu.
        let plano = plano.sem_outros_compradores();
        let mut historias = plano.viver(false);
        for historia in &mut historias {
            historia.operacoes.retain(|o| o.enviada <= ms(ate));
            for operacao in &mut historia.operacoes {
                operacao.resposta = operacao.resposta.take().filter(|(fim, _)| *fim <= ms(ate));
            }
            historia.conexoes.retain(|p| p.conectou <= ms(ate));
            for conexao in &mut historia.conexoes {
                conexao.fechou = Some(conexao.fechou.unwrap_or(ms(ate)).min(ms(ate)));
                conexao.respondida = conexao.respondida.filter(|fim| *fim <= ms(ate));
                conexao.avisos.retain(|aviso| *aviso <= ms(ate));
            }
        }
        prop_assert_eq!(auditar(&historias, Some(plano.inicial)).violacoes, []);
    }

    #[test]
    fn o_aviso_que_so_demora_nunca_e_perda_nem_acusa_o_estoque(
        plano in planos(),
        demora in 1600u64..1900,
    ) {
        let plano = plano.sem_outros_compradores();
        let mut historias = plano.viver(true);
        let pontual = auditar(&historias, None);
        for conexao in historias.iter_mut().flat_map(|historia| &mut historia.conexoes) {
            conexao.avisos.iter_mut().for_each(|aviso| *aviso += ms(demora));
            let fechou = conexao.fechou.unwrap_or(Duration::MAX);
            conexao.avisos.retain(|aviso| *aviso < fechou);
        }
        let veredito = auditar(&historias, None);
        let regras: Vec<&str> = veredito.violacoes.iter().map(|v| v.regra.nome()).collect();
        prop_assert!(regras.is_empty() || regras == ["aviso-atrasado"], "{:?}", regras);
        let viu_a_ultima = historias.iter().flat_map(|h| &h.operacoes).any(|o| {
            o.resposta.as_ref().is_some_and(|(_, desfecho)| *desfecho == Comprou(0))
        });
        if viu_a_ultima {
            prop_assert_eq!((pontual.aviso(), veredito.aviso()), (Aviso::Certo, Aviso::Atrasado));
        }
    }

    #[test]
    fn sem_venda_e_sem_recusa_que_se_entendam_nunca_se_diz_consistente(plano in planos()) {
        let mut historias = plano.viver(false);
        for operacao in historias.iter_mut().flat_map(|historia| &mut historia.operacoes) {
            if let Some((_, desfecho)) = operacao.resposta.as_mut().filter(|_| operacao.compra) {
                *desfecho = Estranho("Erro interno".into());
            }
        }
        prop_assert_eq!(auditar(&historias, None).estoque(), Estoque::SemVeredito);
    }

    #[test]
    fn um_defeito_plantado_sempre_aparece(
        plano in planos(),
        sorteio in any::<Index>(),
        quanto in 0u64..200,
    ) {
        for defeito in Defeito::TODOS {
            let estoque = defeito.inicial_de(&plano);
            let veredito = auditar(&defeito.plantar(plano.clone(), sorteio, quanto), estoque);
            let acusadas: Vec<&str> = veredito.violacoes.iter().map(|v| v.regra.nome()).collect();
            prop_assert!(
                acusadas.iter().any(|nome| defeito.regras().contains(nome)),
                "{:?}: {:?}", defeito, acusadas
            );
            // O defeito do AVISO não acusa o estoque, nem o do estoque o AVISO.
            let do_aviso = defeito.regras()[0].starts_with("aviso");
            let estoque = if do_aviso { Estoque::Consistente } else { Estoque::Inconsistente };
            let acusado = veredito.estoque();
            // Sem venda que se visse, não há veredito; mas também não há acusação.
            prop_assert!(acusado == estoque || acusado == Estoque::SemVeredito && do_aviso);
            // As provas são de quem estava lá, e em ordem de acontecer.
            prop_assert!(veredito.violacoes.is_sorted_by_key(|v| v.quando));
            prop_assert!(veredito.violacoes.iter().all(|v| (1..=2).contains(&v.provas.len())));
        }
    }
}

// ---------------------------------------------------------------------------------------------
// O oráculo: tenta todas as ordens, sem saber das regras.

/// Algo que se viu, ou que pode ter acontecido, nesta fatia do tempo.
#[derive(Debug, Clone)]
struct Visto {
    inicio: u64,
    fim: u64,
    o_que: OQue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OQue {
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
fn ha_ordem(vistos: &[Visto], feitos: u32, contador: i128, por_fora: bool) -> bool {
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

fn em_historias(vistos: &[Visto]) -> Vec<Historia> {
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

fn sem_os_avisos(vistos: &[Visto]) -> Vec<Visto> {
    vistos.iter().filter(|visto| visto.o_que != OQue::Aviso).cloned().collect()
}

/// Respostas quaisquer, certas ou não.
fn vistos_quaisquer() -> impl Strategy<Value = Vec<Visto>> {
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
