//! Muito de uma vez, e muitas vezes: nada se perde e nada sai da ordem.

use super::*;

use std::thread;

#[test]
fn um_milhao_de_comandos_de_uma_vez_tem_as_respostas_em_ordem() {
    const COMANDOS: usize = 1_000_000;
    let prova = Prova::abrir(&["--estoque", &COMANDOS.to_string()]);
    let mut cliente = prova.servidor.cliente();
    let mut mao = cliente.outra_mao();
    let antes = Instant::now();
    let mandar = thread::spawn(move || mao.write_all("COMPRAR\n".repeat(COMANDOS).as_bytes()));
    for restante in (0..COMANDOS).rev() {
        assert_eq!(cliente.linha(), compra(restante));
    }
    let demorou = antes.elapsed();
    assert_eq!(cliente.linha(), AVISO);
    mandar.join().unwrap().unwrap();
    drop(cliente);

    let fim = prova.concluir();
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (COMANDOS as u64, COMANDOS as u64));
    assert_eq!(fim.honesto.avisos, 1);
    let medido = format!("{COMANDOS} respostas em ordem em {}, e o AVISO", duracao(demorou));
    fim.relatar("tudo em uma escrita", medido);
}

#[test]
fn quem_fecha_so_a_escrita_recebe_tudo_antes_do_fim() {
    const VEZES: usize = 10_000;
    let prova = Prova::abrir(&["--estoque", "20000"]);
    let perguntar = |restante: usize| {
        let mut cliente = prova.servidor.cliente();
        cliente.manda("CONSULTAR\nCOMPRAR\n");
        cliente.fechar_escrita();
        let esperado = format!("Estoque atual: {}\n{}\n", restante + 1, compra(restante));
        (cliente, esperado)
    };
    for restante in (20_000 - VEZES..20_000).rev() {
        let (mut cliente, esperado) = perguntar(restante);
        assert_eq!(cliente.fim(), esperado);
    }
    // Com tudo, o fim inclusive, à espera antes do primeiro olhar do servidor.
    let (mut cliente, esperado) = prova.servidor.congelado(|| perguntar(19_999 - VEZES));
    assert_eq!(cliente.fim(), esperado);
    drop(cliente);

    let fim = prova.concluir();
    let vezes = VEZES as u64 + 1;
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (vezes, 2 * vezes));
    fim.relatar("fechar só a escrita", format!("{vezes} vezes, tudo respondido antes do fim"));
}

/// Oito compram sem parar, um pedido de cada vez; o honesto consulta no meio deles.
fn consultar_enquanto_se_compra(falha: &str, opcoes: &[&str]) {
    let vendas = quantas(2000, 20_000);
    let prova = Prova::abrir(&[opcoes, &["--estoque", "1000000"]].concat());
    thread::scope(|escopo| {
        for _ in 0..8 {
            let mut cliente = prova.servidor.cliente();
            escopo.spawn(move || {
                for _ in 0..vendas {
                    assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
                }
            });
        }
    });
    let fim = prova.concluir();
    let todas = 8 * vendas as u64;
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (todas, todas));
    fim.relatar(falha, format!("{todas} vendas"));
}

#[test]
fn quem_consulta_espera_o_disco_com_quem_compra() {
    consultar_enquanto_se_compra("comprar sem livro", &[]);
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    consultar_enquanto_se_compra("comprar com livro", &["--livro", livro.to_str().unwrap()]);
}
