//! O console que não anda: nenhuma resposta espera por ele, e cada linha que não saiu é contada.

use super::*;

use std::io::PipeWriter;
use std::process::Stdio;

use testes::{Cliente, comando};

/// Um servidor com este console, ainda sem o honesto.
fn com_console(saida: impl Into<Stdio>, estoque: &str) -> Servidor {
    let mut comando = comando("servidor", ["--estoque", estoque]);
    comando.stdout(saida);
    Servidor::de(comando)
}

fn cano() -> (std::io::PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

/// As linhas que o registro tinha a dizer: cada comando, cada entrada, cada saída e os AVISOs.
fn produzidas(fim: &Fim, avisos: u64) -> u64 {
    fim.termino.conta("comandos") + 2 * fim.termino.conta("conexões atendidas") + avisos
}

#[test]
fn um_console_que_ninguem_le_nao_para_as_vendas() {
    const PEDACO: usize = 500;
    let espera = Duration::from_secs(quantas(5, 30) as u64);
    let (mut leitor, escritor) = cano();
    let prova = Prova::diante_de(com_console(escritor, "100000000"), PAUSA);
    let mut cliente = prova.servidor.cliente();
    let antes = Instant::now();
    let mut restante = 100_000_000;
    while antes.elapsed() < espera {
        cliente.manda("COMPRAR\n".repeat(PEDACO));
        restante -= PEDACO;
        assert_eq!(cliente.linhas(PEDACO).pop().unwrap(), compra(restante));
    }
    drop(cliente);

    let fim = prova.concluir();
    let vendas = 100_000_000 - restante as u64;
    assert_eq!((fim.termino.conta("vendas"), fim.comandos()), (vendas, vendas));
    // O que está inteiro no cano saiu; todo o resto foi contado como perdido.
    let mut no_cano = String::new();
    leitor.read_to_string(&mut no_cano).unwrap();
    assert!(!no_cano.contains("linhas perdidas"), "o cano andou: {no_cano}");
    let (inteiras, perdidas) = (no_cano.matches('\n').count() as u64, fim.termino.conta(PERDIDAS));
    assert_eq!(inteiras + perdidas, produzidas(&fim, 0), "{inteiras} no cano, {perdidas} perdidas");
    assert!(inteiras > 0 && perdidas > 0, "{inteiras} no cano, {perdidas} perdidas");
    let medido =
        format!("{vendas} vendas em {espera:?}, {inteiras} linhas no cano, {perdidas} perdidas");
    fim.relatar("um console que ninguém lê", medido);
}

#[test]
fn um_console_fechado_depois_da_primeira_linha_nao_para_as_vendas() {
    let (leitor, escritor) = cano();
    let servidor = com_console(escritor, "3");
    let cliente = servidor.cliente();
    // Como faz um `| head -1`. Ninguém mais falou: só há uma linha para ele ler.
    let mut primeira = String::new();
    BufReader::new(leitor).read_line(&mut primeira).unwrap();
    assert!(primeira.ends_with("conectou (ativas: 1)\n"), "{primeira}");
    tudo_mais_se_perde("um console fechado (| head -1)", servidor, cliente, 1);
}

#[test]
fn um_disco_cheio_nao_para_as_vendas() {
    let cheio = File::options().write(true).open("/dev/full").unwrap();
    let servidor = com_console(cheio, "3");
    let cliente = servidor.cliente();
    tudo_mais_se_perde("um disco cheio (/dev/full)", servidor, cliente, 0);
}

/// Vende com um console em que só saíram `ditas` linhas: cada uma das outras consta como perdida.
fn tudo_mais_se_perde(falha: &str, servidor: Servidor, mut cliente: Cliente, ditas: u64) {
    let prova = Prova::diante_de(servidor, PAUSA);
    for restante in [2, 1, 0] {
        assert_eq!(cliente.pede("COMPRAR"), compra(restante));
    }
    assert_eq!(cliente.linha(), AVISO);
    for _ in 0..1000 {
        assert_eq!(cliente.pede("COMPRAR"), "ERRO: Produto esgotado");
    }
    drop(cliente);
    let fim = prova.concluir();
    assert_eq!(fim.honesto.avisos, 1);
    assert_eq!((fim.termino.conta("vendas"), fim.termino.conta("recusas (esgotado)")), (3, 1000));
    let perdidas = fim.termino.conta(PERDIDAS);
    assert_eq!(ditas + perdidas, produzidas(&fim, 1));
    fim.relatar(falha, format!("{ditas} linhas ditas, {perdidas} perdidas, contadas uma a uma"));
}
