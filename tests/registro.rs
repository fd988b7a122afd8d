//! O registro: o que ele diz e aonde vai. O destino que não anda é uma das falhas de `falhas.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::{Duration, SystemTime};

use testes::{Cliente, Processo, Servidor, Signal, ate, comando, executar};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";
const PERDIDAS: &str = "linhas de registro perdidas";

#[test]
fn cada_acontecimento_da_uma_linha_com_hora_cliente_e_resposta() {
    // As horas do registro são cortadas no milissegundo.
    let antes = SystemTime::now() - Duration::from_millis(1);
    let mut servidor = Servidor::abrir(&["--estoque", "1", "--max-conexoes", "2"]);
    let espera = |linha: &str| {
        servidor.registro().ate(linha, |log| log.contains(linha));
    };

    let mut a = servidor.cliente();
    a.pede("Consultar");
    let mut b = servidor.cliente();
    b.pede("CONSULTAR");
    let mut c = servidor.cliente();
    c.fim();
    a.pede("comprar");
    a.linha();
    b.linha();
    a.pede("COMPRAR");
    a.pede("xyz \u{1b}[2Jé");
    a.pede("sair");
    a.fim();
    let nomes = [&a, &b, &c].map(|cliente| cliente.endereco().to_string());
    // Um de cada vez, para que o registro inteiro possa ser comparado.
    drop((a, c));
    espera("desconectou (sair)");
    drop(b);
    espera("desconectou (fim)");
    let mut d = servidor.cliente();
    d.pede("CONSULTAR");
    let nome_d = d.endereco();
    d.resetar();
    espera("desconectou (reset)");
    let mut e = servidor.cliente();
    e.manda("x".repeat(600));
    e.fim();
    let nome_e = e.endereco();
    drop(e);
    espera("desconectou (linha longa)");
    let f = servidor.cliente();
    let nome_f = f.endereco();
    espera(&format!("{nome_f} conectou"));
    f.fechar_escrita();
    espera(&format!("{nome_f} desconectou (fim)"));
    let mut g = servidor.cliente();
    let nome_g = g.endereco();
    espera(&format!("{nome_g} conectou"));
    servidor.sinal(testes::Signal::INT);
    g.fim();
    drop(g);

    let log = servidor.termino().saida;
    let depois = SystemTime::now();
    let mut ditas = Vec::new();
    for linha in log.lines() {
        let (hora, resto) = linha.split_once(' ').unwrap();
        assert_eq!(hora.len(), "2025-11-23T13:33:00.123Z".len(), "{linha}");
        let hora = humantime::parse_rfc3339(hora).unwrap();
        assert!(antes <= hora && hora <= depois, "{linha}");
        ditas.push(resto);
    }
    let [a, b, c] = nomes;
    let erro = "ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR";
    let esperadas = [
        format!("{a} conectou (ativas: 1)"),
        format!("{a} CONSULTAR -> Estoque atual: 1"),
        format!("{b} conectou (ativas: 2)"),
        format!("{b} CONSULTAR -> Estoque atual: 1"),
        format!("{c} desconectou (lotado)"),
        format!("{a} COMPRAR -> Compra realizada. Estoque restante: 0"),
        format!("{AVISO} -> 2 clientes"),
        format!("{a} COMPRAR -> ERRO: Produto esgotado"),
        format!("{a} xyz \\x1b[2J\\xc3\\xa9 -> {erro}"),
        format!("{a} SAIR -> Volte sempre!"),
        format!("{a} desconectou (sair)"),
        format!("{b} desconectou (fim)"),
        format!("{nome_d} conectou (ativas: 1)"),
        format!("{nome_d} CONSULTAR -> Estoque atual: 0"),
        format!("{nome_d} desconectou (reset)"),
        format!("{nome_e} conectou (ativas: 1)"),
        format!("{nome_e} (linha longa) -> ERRO: Linha longa demais"),
        format!("{nome_e} desconectou (linha longa)"),
        format!("{nome_f} conectou (ativas: 1)"),
        format!("{nome_f} desconectou (fim)"),
        format!("{nome_g} conectou (ativas: 1)"),
        format!("{nome_g} desconectou (encerramento)"),
    ];
    assert_eq!(ditas, esperadas);
}

#[test]
fn silencioso_nada_diz_na_saida_e_nada_perde() {
    let mut servidor = Servidor::abrir(&["--silencioso"]);
    servidor.cliente().pede("COMPRAR");
    let termino = servidor.encerrar();
    assert_eq!(termino.saida, "");
    assert_eq!((termino.conta("vendas"), termino.conta(PERDIDAS)), (1, 0));
}

#[test]
fn o_arquivo_de_registro_cresce_a_cada_execucao_e_o_console_fica_quieto() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let mut clientes = Vec::new();
    for execucao in 1..=2 {
        let mut servidor = Servidor::abrir(&["--registro", arquivo.to_str().unwrap()]);
        let mut cliente = servidor.cliente();
        clientes.push(cliente.endereco());
        assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
        drop(cliente);
        let termino = servidor.encerrar();
        assert_eq!((termino.saida.as_str(), termino.conta(PERDIDAS)), ("", 0));
        let log = fs::read_to_string(&arquivo).unwrap();
        for cliente in &clientes {
            assert!(log.contains(&format!(" {cliente} COMPRAR -> Compra realizada")), "{log}");
        }
        // Em cada execução, uma abertura e um fim, e entre eles o cliente.
        assert_eq!(log.matches("servidor: ouvindo em").count(), execucao, "{log}");
        assert_eq!(log.matches(" conectou (ativas: 1)").count(), execucao, "{log}");
    }
}

#[test]
fn a_hora_de_cada_linha_e_a_do_turno_dela() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let servidor = Servidor::abrir(&["--registro", arquivo.to_str().unwrap()]);
    let mut cliente = servidor.cliente();
    let horas = ate("três horas diferentes", || {
        cliente.pede("CONSULTAR");
        let log = fs::read_to_string(&arquivo).unwrap();
        let consultas = log.lines().filter(|linha| linha.contains(" CONSULTAR -> "));
        let horas: Vec<_> = consultas.filter_map(|linha| linha.split(' ').next()).collect();
        let mut diferentes = horas.clone();
        diferentes.dedup();
        (diferentes.len() >= 3).then(|| horas.join(" "))
    });
    let lidas: Vec<_> =
        horas.split(' ').map(|hora| humantime::parse_rfc3339(hora).unwrap()).collect();
    assert!(lidas.is_sorted(), "{horas}");
}

#[test]
fn um_ipv4_que_chega_por_ipv6_se_escreve_como_ipv4() {
    let pasta = tempfile::tempdir().unwrap();
    let arquivo = pasta.path().join("vendas.log");
    let caminho = arquivo.to_str().unwrap();
    let livro = pasta.path().join("vendas.db");
    let argumentos = ["--porta", "0", "--registro", caminho, "--livro", livro.to_str().unwrap()];
    let mut processo = Processo::iniciar(comando("servidor", argumentos));
    let endereco = processo.onde_ouve();
    let mut cliente = Cliente::conectar(endereco);
    cliente.pede("COMPRAR");
    let dele = cliente.endereco();
    drop(cliente);
    processo.sinal(Signal::TERM);
    assert_eq!(processo.termino().codigo, Some(0));
    let log = fs::read_to_string(&arquivo).unwrap();
    assert!(log.contains(&format!(" {dele} conectou")) && !log.contains("ffff"), "{log}");
    let extrato = executar("servidor", ["extrato", livro.to_str().unwrap()]).saida;
    assert!(extrato.contains(&format!(" {dele} ")) && !extrato.contains("ffff"), "{extrato}");
}
