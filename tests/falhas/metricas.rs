//! Quem lê as métricas, e não como devia: mil de uma vez, lixo, pedidos pela metade. Uma multidão compra enquanto
//! isso, e nem ela nem o honesto podem notar.

use super::*;

use testes::{Cliente, LER_METRICAS, Processo, argumentos, comando, corpo, onde_mostra, veredito};

/// Manda isto a quem mostra as métricas, tantas vezes ao mesmo tempo.
fn mandar(onde: SocketAddr, vezes: usize, pedido: &str) -> Vec<Cliente> {
    let mandar_um = |_| {
        let mut leitor = Cliente::conectar(onde);
        leitor.manda(pedido);
        leitor
    };
    (0..vezes).map(mandar_um).collect()
}

#[test]
fn ler_as_metricas_nao_atrasa_uma_venda() {
    let vezes = quantas(200, 1000);
    let prova = Prova::abrir(&["--metricas", "0", "--estoque", "100"]);
    let onde = onde_mostra(&prova.servidor);
    let compram = argumentos(prova.endereco(), "--usuarios 20");
    let mut multidao = Processo::iniciar(comando("cliente", compram));
    // Os que nunca acabam o pedido enchem os lugares; atrás deles, lixo, e os que leem.
    let parados = mandar(onde, 100, "GET /metrics HTTP/1.1\r\nHo");
    let lixo = mandar(onde, 100, "COMPRAR\n");
    let mut lidas = 0;
    for mut leitor in mandar(onde, vezes, LER_METRICAS) {
        corpo(&leitor.fim());
        lidas += 1;
    }
    for mut leitor in lixo {
        assert!(leitor.fim().starts_with("HTTP/1.1 400 "));
    }
    // Quem não lê o que pediu.
    let surdos = mandar(onde, 30, LER_METRICAS);
    let comprou = multidao.termino();
    assert_eq!(
        (comprou.codigo, veredito(&comprou)),
        (Some(0), "Veredito: CONSISTENTE"),
        "{comprou:?}"
    );
    drop((parados, surdos));
    let fim = prova.concluir();
    assert_eq!(fim.termino.conta("vendas"), 100);
    let medido =
        format!("{lidas} leituras ao mesmo tempo, 100 pela metade, 100 de lixo, CONSISTENTE");
    fim.relatar("ler as métricas", medido);
}
