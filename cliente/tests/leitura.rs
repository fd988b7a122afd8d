//! O que a auditoria conclui quando nem todo número se lê: uma venda sem número conta como venda, e não acusa
//! ninguém; e uma resposta repetida não são duas vendas.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cliente::auditoria::auditar;
use cliente::auditoria::regra::Regra;
use cliente::auditoria::veredito::Estoque;
use cliente::conversa::desfecho::Desfecho;
use cliente::historia::vivido::{Conexao, Historia, Operacao};
use proptest::prelude::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn historia(usuario: usize, operacoes: &[(u64, u64, Desfecho)]) -> Historia {
    let operacao = |(enviada, chegou, desfecho): &(u64, u64, Desfecho)| Operacao {
        conexao: 1,
        compra: !matches!(desfecho, Desfecho::Leu(_) | Desfecho::LeuSemNumero),
        enviada: ms(*enviada),
        resposta: Some((ms(*chegou), desfecho.clone())),
        ..Operacao::default()
    };
    Historia {
        usuario,
        conexoes: vec![Conexao { numero: 1, ..Conexao::default() }],
        operacoes: operacoes.iter().map(operacao).collect(),
        ..Historia::default()
    }
}

#[test]
fn uma_venda_sem_numero_explica_a_unidade_que_falta() {
    use Desfecho::{Comprou, ComprouSemNumero, Leu};
    let duas = |segunda: Desfecho| {
        let todas = [(0, 1, Comprou(9)), (2, 3, segunda), (4, 5, Leu(8))];
        auditar(&[historia(1, &todas)], Some(10)).estoque() == Estoque::Consistente
    };
    assert!(duas(ComprouSemNumero));
    assert!(!duas(Desfecho::Recusado), "sem ela, a unidade sumiu");
}

#[test]
fn mais_vendas_que_unidades_se_ve_ainda_que_nenhuma_diga_o_numero() {
    let vendas = |quantas: u64| {
        let todas = (0..quantas).map(|n| (2 * n, 2 * n + 1, Desfecho::ComprouSemNumero));
        auditar(&[historia(1, &todas.collect::<Vec<_>>())], Some(10))
    };
    assert!(vendas(10).estoque() == Estoque::Consistente);
    let veredito = vendas(12);
    assert_eq!(veredito.violacoes[0].regra, Regra::VendeuDemais { inicial: 10, vendas: 12 });
    assert_eq!(veredito.violacoes[0].quando, ms(21), "a décima primeira");
    assert!(
        veredito.frase_do_estoque().contains("12 vendas, e só havia 10 unidades"),
        "{veredito}"
    );
}

#[test]
fn repetir_a_resposta_sem_numero_nao_e_vender_demais() {
    let todas: Vec<_> = (0..12).map(|n| (2 * n, 2 * n + 1, Desfecho::ComprouSemNumero)).collect();
    let mut historia = historia(1, &todas);
    historia.conexoes[0].dessincronizada_desde = Some(ms(0));
    assert_eq!(auditar(&[historia], Some(10)).violacoes, []);
}

#[test]
fn a_mesma_resposta_dita_duas_vezes_nao_sao_duas_vendas() {
    use Desfecho::Comprou;
    let repetida = |dessincronizada_desde: Option<Duration>| {
        let mut historia = historia(1, &[(0, 1, Comprou(9)), (2, 3, Comprou(9))]);
        historia.conexoes[0].dessincronizada_desde = dessincronizada_desde;
        auditar(&[historia], None).estoque() == Estoque::Consistente
    };
    assert!(repetida(Some(ms(0))));
    assert!(!repetida(None), "sem nada fora do lugar, é a mesma unidade vendida duas vezes");
}

proptest! {
    /// Esquecer o número de algumas respostas de um servidor certo nunca o acusa.
    #[test]
    fn quem_nao_se_le_com_certeza_nao_acusa(
        estoque in 1u64..8,
        compras in 1usize..12,
        esquecidas in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let mut resta = i128::from(estoque);
        let mut instante = 0;
        let mut operacoes = Vec::new();
        for esquece in &esquecidas[..compras] {
            instante += 2;
            let leu = if *esquece { Desfecho::LeuSemNumero } else { Desfecho::Leu(resta) };
            operacoes.push((instante, instante + 1, leu));
            instante += 2;
            let desfecho = if resta == 0 {
                Desfecho::Recusado
            } else {
                resta -= 1;
                if *esquece { Desfecho::ComprouSemNumero } else { Desfecho::Comprou(resta) }
            };
            operacoes.push((instante, instante + 1, desfecho));
        }
        let veredito = auditar(&[historia(1, &operacoes)], Some(estoque));
        prop_assert!(veredito.estoque() == Estoque::Consistente, "{veredito}");
    }
}
