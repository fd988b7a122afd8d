//! O Ctrl-C, e o que se escreve no fim.

use super::*;

/// Espera o servidor abrir, manda um SIGINT ao avaliador e confere que nada sobrou.
fn interrompida(comando: &str, porta: u16) {
    let mut avaliador = iniciar(&["--iniciar", comando, "--porta", &porta.to_string()]);
    ate("o servidor abrir", || TcpStream::connect(("127.0.0.1", porta)).ok());
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    ninguem_atende(porta);
}

#[track_caller]
fn sem_nota(fim: &Termino) {
    assert_eq!((fim.codigo, fim.saida.as_str()), (Some(130), ""), "{fim:?}");
    // Antes dela, quando parar demora, pode haver a que diz como não esperar.
    assert!(fim.erro.ends_with("cliente: avaliação interrompida, sem nota\n"), "{fim:?}");
}

#[test]
fn o_ctrl_c_no_meio_para_o_servidor_e_nao_da_nota() {
    let porta = porta_livre();
    interrompida(&format!("exec '{}' --porta {porta}", binario("servidor").display()), porta);
}

#[test]
fn o_ctrl_c_para_ate_quem_ignora_o_sigterm() {
    let Some(python) = python() else { return };
    let porta = porta_livre();
    let surdo = format!(
        "import signal, runpy; signal.signal(signal.SIGTERM, signal.SIG_IGN); runpy.run_path({:?})",
        script("correto.py")
    );
    interrompida(&format!("exec '{python}' -c '{surdo}' {porta}"), porta);
}

#[test]
fn o_ctrl_c_durante_uma_disputa_para_o_servidor_e_nao_da_nota() {
    let porta = porta_livre();
    let pasta = tempfile::tempdir().unwrap();
    let vezes = pasta.path().join("vezes");
    let comando = format!(
        "echo >> '{}'; exec '{}' --porta {porta}",
        vezes.display(),
        binario("servidor").display()
    );
    let opcoes = ["--iniciar", &comando, "--porta", &porta.to_string(), "--rodadas", "1000"];
    let mut avaliador = iniciar(&opcoes);
    // Da oitava vez em diante, são as mil rodadas.
    ate("a oitava vez", || {
        let vezes = std::fs::read(&vezes).unwrap_or_default().len();
        (vezes >= 8).then_some(())
    });
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    ninguem_atende(porta);
}

#[test]
fn o_ctrl_c_antes_de_o_servidor_abrir_tambem_e_uma_interrupcao() {
    let pasta = tempfile::tempdir().unwrap();
    let comecou = pasta.path().join("começou");
    let comando = format!("echo > '{}'; exec sleep 600", comecou.display());
    let porta = porta_livre().to_string();
    let mut avaliador = iniciar(&["--iniciar", &comando, "--porta", &porta, "--espera", "1h"]);
    ate("o comando começar", || comecou.exists().then_some(()));
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
}

#[test]
fn o_ctrl_c_diante_de_um_que_esta_no_ar_o_deixa_no_ar() {
    // Um servidor que não responde: a avaliação espera por ele, e há tempo para interrompê-la.
    let porta = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco: SocketAddr = porta.local_addr().unwrap();
    let mut avaliador = iniciar(&["--servidor", &endereco.to_string()]);
    let (_conexao, _) = porta.accept().unwrap();
    avaliador.sinal(Signal::INT);
    sem_nota(&avaliador.termino());
    Cliente::conectar(endereco);
}

#[test]
fn a_pagina_e_escrita_e_um_arquivo_impossivel_e_dito() {
    let servidor = Servidor::abrir(&[]);
    let endereco = servidor.endereco().to_string();
    let pasta = tempfile::tempdir().unwrap();
    let pagina = pasta.path().join("laudo.html");
    let caminho = pagina.to_str().unwrap();
    avaliar(&["--servidor", &endereco, "--relatorio", caminho], "--compradores 20");
    let html = std::fs::read_to_string(&pagina).unwrap();
    for pedaco in ["<html lang=\"pt-BR\">", "10,0", "Multithreading", "Exclusão Mútua", "Robustez"]
    {
        assert!(html.contains(pedaco), "não há '{pedaco}' em:\n{html}");
    }
    let impossivel = pasta.path().join("nao/existe.json");
    let erro = nao_avalia(&["--servidor", &endereco, "--json", impossivel.to_str().unwrap()]);
    assert!(erro.contains("--json") && erro.contains("existe.json"), "{erro}");
}
