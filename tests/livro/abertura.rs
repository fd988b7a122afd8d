//! Enquanto o livro não está aberto: ninguém conecta, um sinal encerra, e o que não é um livro é dito.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use testes::{Processo, Signal, ate, nao_abre, por_meio_de, porta_livre, recusa};

use crate::sob_teste::Arquivo;
use crate::vizinho::Vizinho;

/// O processo tem este arquivo aberto?
fn tem_aberto(pid: u32, arquivo: &str) -> bool {
    let Ok(descritores) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descritores
        .flatten()
        .any(|descritor| fs::read_link(descritor.path()).is_ok_and(|de| de == Path::new(arquivo)))
}

#[test]
fn enquanto_o_livro_nao_abre_a_porta_recusa_e_o_primeiro_sinal_encerra() {
    for sinal in [Signal::TERM, Signal::INT] {
        let livro = Arquivo::novo();
        assert_eq!(livro.abrir(Some(10)).encerrar().codigo, Some(0));
        // Quem abre o livro espera um pouco por quem está escrevendo nele.
        let Some(outro) = Vizinho::novo(&livro, "BEGIN IMMEDIATE") else { return };
        let porta = porta_livre();
        let mut comando = livro.comando(None);
        comando.args(["--endereco", "127.0.0.1", "--porta", &porta.to_string()]);
        let mut processo = Processo::iniciar(comando);
        ate("o livro a abrir", || tem_aberto(processo.pid(), livro.caminho()).then_some(()));
        let erro = TcpStream::connect(("127.0.0.1", porta)).expect_err("conectou").kind();
        assert_eq!(erro, ErrorKind::ConnectionRefused);
        processo.sinal(sinal);
        let termino = processo.termino();
        assert_eq!((termino.codigo, termino.erro.as_str()), (Some(0), ""), "{sinal:?}");
        outro.sair();
        assert_eq!(livro.abrir(None).encerrar().codigo, Some(0));
    }
}

#[test]
fn um_cano_ou_um_dispositivo_nao_e_um_livro() {
    let livro = Arquivo::novo();
    assert!(Command::new("mkfifo").arg(livro.caminho()).status().unwrap().success());
    for caminho in [livro.caminho(), "/dev/null"] {
        let erro = nao_abre(&["--porta", "0", "--livro", caminho]);
        assert!(erro.contains("não é um arquivo comum") && erro.contains(caminho), "{erro}");
        assert!(nao_abre(&["extrato", caminho]).contains("não é um arquivo comum"));
        assert!(!Path::new(&format!("{caminho}-journal")).exists());
    }
}

#[test]
fn sem_descritores_para_o_livro_e_isso_que_se_diz() {
    for limite in [8, 11, 14] {
        let livro = Arquivo::novo();
        let roteiro = format!("ulimit -n {limite}; exec \"$@\"");
        let mut comando = livro.comando(Some(10));
        comando.args(["--endereco", "127.0.0.1", "--porta", "0"]);
        let erro = recusa(por_meio_de(&["sh", "-c", &roteiro, "sh"], &comando));
        assert!(erro.contains("limite de descritores") && erro.contains("ulimit -n"), "{erro}");
    }
}
