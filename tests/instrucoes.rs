//! Quantas instruções uma venda custa, contadas pelo valgrind: um número que não muda com a carga da
//! máquina, e que por isso um teste pode vigiar. Só o turno (ler, decidir, responder), sem rede: o roteiro
//! está em `servidor/examples/instrucoes.rs`.
//!
//! O número é de um compilador. Com outro, ou sem valgrind, não há o que comparar: o teste diz quanto deu,
//! ou que foi pulado.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use testes::otimizado;

/// O compilador com que se contou.
const RUSTC: &str = "rustc 1.95.0";

/// Conexões, pedidos por turno em cada, e instruções por comando. Quem as baixa põe aqui o novo número.
const CONTADAS: [(u32, u32, f64); 2] = [(50, 1, 1061.0), (50, 16, 119.0)];

/// Quanto pode crescer sem que ninguém explique: a libc também conta, e nem todas são iguais.
const FOLGA: f64 = 1.05;

const TURNOS: u32 = 400;

#[test]
fn uma_venda_nao_custa_mais_instrucoes_do_que_custava() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return eprintln!("pulado: não há valgrind nesta máquina");
    }
    let rustc = Command::new("rustc").arg("--version").output().unwrap();
    let mesmo_compilador = String::from_utf8_lossy(&rustc.stdout).starts_with(RUSTC);
    for (conexoes, em_voo, contadas) in CONTADAS {
        let comandos = f64::from(conexoes * em_voo * TURNOS);
        // O que só abrir e fechar custa sai da conta.
        let todas = instrucoes(conexoes, em_voo, TURNOS) - instrucoes(conexoes, em_voo, 0);
        let agora = todas / comandos;
        println!("{conexoes}x{em_voo}: {agora:.1} instruções por comando; eram {contadas:.1}");
        assert!(
            !mesmo_compilador || agora <= contadas * FOLGA,
            "{conexoes}x{em_voo}: {agora:.1} instruções por comando; eram {contadas:.1}"
        );
    }
}

/// As instruções do roteiro inteiro.
fn instrucoes(conexoes: u32, em_voo: u32, turnos: u32) -> f64 {
    let opcoes = format!("--conexoes {conexoes} --em-voo {em_voo} --turnos {turnos}");
    let saida = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(otimizado("examples/instrucoes"))
        .args(opcoes.split(' '))
        .output()
        .unwrap();
    let erro = String::from_utf8_lossy(&saida.stderr);
    let vendas = format!("vendas: {}\n", conexoes * em_voo * turnos);
    assert_eq!(String::from_utf8_lossy(&saida.stdout), vendas, "{erro}");
    let linha = erro.lines().find_map(|linha| linha.split_once("Collected : "));
    linha.and_then(|(_, numero)| numero.trim().parse().ok()).unwrap_or_else(|| panic!("{erro}"))
}
