//! O livro, no programa de verdade: uma venda que alguém ouviu está no arquivo, haja o que houver.
//!
//! O processo morre a qualquer instante ([`quedas`]) e em instantes escolhidos ([`instantes`]); as
//! chamadas de sistema saem na ordem certa ([`ordem`]); o disco enche em cada passo ([`disco`]); os
//! arquivos do livro se separam ([`separado`]) ou alguém os troca ([`trocado`]); outros o leem
//! ([`leitores`]); repõe-se com ele aberto ([`repor_aberto`]); e um arquivo que não serve fica como estava ([`recusas`]). O que se prova sem processo nenhum está nos
//! testes da crate `servidor`; quanto custa cada venda não é daqui.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abertura;
mod disco;
mod instantes;
mod leitores;
mod ordem;
mod quedas;
mod rastro;
mod recusas;
mod repor_aberto;
mod separado;
mod sob_teste;
mod trocado;
mod vizinho;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use sob_teste::Arquivo;
use testes::{Servidor, Signal, comando, palavras_em_ingles};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";

/// Mata o servidor sem que ele possa fazer nada a respeito.
fn derrubar(mut servidor: Servidor) {
    servidor.sinal(Signal::KILL);
    assert_eq!(servidor.termino().codigo, None);
}

/// Um freguês compra três.
fn comprar_tres(servidor: &Servidor) {
    let mut cliente = servidor.cliente();
    for _ in 0..3 {
        assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
    }
}

#[test]
fn uma_venda_sobrevive_a_um_kill_9() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    let mut cliente = servidor.cliente();
    for restante in (3..10).rev() {
        let resposta = format!("Compra realizada. Estoque restante: {restante}");
        assert_eq!(cliente.pede("COMPRAR"), resposta);
    }
    derrubar(servidor);

    let mut servidor = livro.abrir(None);
    let dito = servidor.erro().ate("a linha do livro", |texto| texto.contains("vendidas\n"));
    let linhas: Vec<_> = dito.lines().collect();
    assert!(linhas[0].ends_with(" (estoque: 3)"), "{dito}");
    assert_eq!(linhas[1..], ["livro: 7 de 10 vendidas"]);
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 3");
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 2");
    drop(cliente);
    let termino = servidor.encerrar();
    assert_eq!(termino.codigo, Some(0));
    // As contas são as desta vida; a do livro, a de todas.
    assert_eq!((termino.conta("vendas"), termino.conta("estoque restante")), (1, 2));
    let contas = termino.erro.lines().last().unwrap_or_default();
    assert_eq!(contas.trim().strip_prefix("livro").map(str::trim), Some("8 de 10 vendidas"));
    assert_eq!(palavras_em_ingles(&termino.erro), [""; 0]);
}

#[test]
fn repor_reacende_o_aviso() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(1));
    let mut comprador = servidor.cliente();
    assert_eq!(comprador.pede("COMPRAR"), "Compra realizada. Estoque restante: 0");
    assert_eq!(comprador.linha(), AVISO);

    derrubar(servidor);

    let termino = livro.repor(2);
    assert_eq!(termino.codigo, Some(0));
    assert_eq!(
        termino.erro,
        "livro: 1 de 3 vendidas, 2 à venda: 2 repostas agora (o servidor não foi aberto)\n"
    );

    let servidor = livro.abrir(None);
    let mut todos = [servidor.cliente(), servidor.cliente(), servidor.cliente()];
    for cliente in &mut todos {
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 2");
    }
    assert_eq!(todos[0].pede("COMPRAR"), "Compra realizada. Estoque restante: 1");
    assert_eq!(todos[1].pede("COMPRAR"), "Compra realizada. Estoque restante: 0");
    for cliente in &mut todos {
        assert_eq!(cliente.linha(), AVISO);
        // Um só: o que vem a seguir já é a resposta.
        assert_eq!(cliente.pede("CONSULTAR"), "Estoque atual: 0");
    }
}

#[test]
fn sem_livro_nada_se_cria() {
    let pasta = tempfile::tempdir().unwrap();
    let mut comando = comando("servidor", ["--estoque", "1"]);
    comando.current_dir(pasta.path());
    let mut servidor = Servidor::de(comando);
    let mut cliente = servidor.cliente();
    cliente.pede("COMPRAR");
    drop(cliente);
    let termino = servidor.encerrar();
    assert_eq!(termino.codigo, Some(0));
    assert!(!termino.erro.contains("livro"), "{}", termino.erro);
    assert_eq!(fs::read_dir(pasta.path()).unwrap().count(), 0);
}

/// Lê o livro como qualquer pessoa leria: pelo módulo que vem com o Python, tantas vezes quantas se
/// pedirem, e cada vez em uma conexão nova.
const LEITOR: &str = "
import sqlite3, sys
for vez in range(int(sys.argv[2])):
    livro = sqlite3.connect(sys.argv[1])
    quantas, menor, maior = livro.execute(
        'SELECT count(*), min(restante), max(numero) FROM vendas').fetchone()
    assert quantas == maior or quantas == 0, (quantas, maior)
    assert quantas == 0 or quantas + menor == 1000000000, (quantas, menor)
    livro.close()
print(quantas)
";

#[test]
fn o_python_le_o_livro_enquanto_se_vende() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(1_000_000_000));
    let ler = |vezes: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", LEITOR, livro.caminho(), vezes]).stderr(Stdio::piped());
        python.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().ok()
    };
    let lido = |leitor: std::process::Child| -> u64 {
        let saida = leitor.wait_with_output().unwrap();
        let erro = String::from_utf8_lossy(&saida.stderr);
        assert!(saida.status.success(), "{erro}");
        String::from_utf8_lossy(&saida.stdout).trim().parse().unwrap()
    };
    let mut cliente = servidor.cliente();
    cliente.pede("COMPRAR");
    let Some(mut leitor) = ler("200") else {
        return println!("sem python3: teste pulado");
    };
    // Vende até o leitor acabar: nenhum dos dois espera pelo outro.
    let vendidas = thread::scope(|juntos| {
        let vendendo = juntos.spawn(move || {
            let mut vendidas = 1;
            while leitor.try_wait().unwrap().is_none() {
                assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
                vendidas += 1;
            }
            (vendidas, leitor)
        });
        let (vendidas, leitor) = vendendo.join().unwrap();
        assert!((1..=vendidas).contains(&lido(leitor)));
        vendidas
    });
    // E o que se confirmou está à vista de quem chega agora.
    assert_eq!(lido(ler("1").unwrap()), vendidas);
}
