//! O que não se pode afirmar, e quando não há o que julgar.

use cliente::auditoria::auditar;
use cliente::auditoria::veredito::Estoque;
use cliente::conversa::desfecho::Desfecho::{Comprou, Estranho, Leu, Recusado};
use cliente::historia::vivido::{Falha, Historia};

use crate::exemplos::*;

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
