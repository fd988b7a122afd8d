//! A multidão contra um servidor, de verdade ou de mentira.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{Processo, Termino, comando};

/// Executa a multidão contra `servidor`, cem vezes mais depressa que a vida.
pub fn multidao(servidor: SocketAddr, opcoes: &str) -> Termino {
    Processo::iniciar(comando("cliente", argumentos(servidor, opcoes))).termino()
}

/// Os argumentos de [`multidao`]. As `opcoes` se separam por espaços.
pub fn argumentos(servidor: SocketAddr, opcoes: &str) -> Vec<String> {
    let todas = format!("--servidor {servidor} --acelerar 100 {opcoes}");
    todas.split_whitespace().map(String::from).collect()
}

/// O número que o resumo do cliente dá a `nome`.
///
/// # Panics
///
/// O resumo não fala em `nome`.
pub fn conta(termino: &Termino, nome: &str) -> u64 {
    let linha = termino.saida.lines().find_map(|linha| linha.trim().strip_prefix(nome));
    let numero = linha.and_then(|resto| resto.split_whitespace().next()?.parse().ok());
    numero.unwrap_or_else(|| panic!("o resumo não diz '{nome}':\n{termino:?}"))
}

/// A última linha que o cliente disse.
pub fn veredito(termino: &Termino) -> &str {
    termino.saida.lines().last().unwrap_or_default()
}

/// A multidão numerou as compras, e sabe-se de todas: o extrato tem as vendas que ela ouviu, nem uma a mais, e cada id uma
/// vez.
///
/// # Panics
///
/// Não é assim.
pub fn conferir_pedidos(extrato: &Value, csv: &Path, fim: &Termino) {
    assert_eq!((fim.codigo, veredito(fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(conta(fim, "desconhecidas"), 0, "{fim:?}");
    let mut leitor = csv::Reader::from_path(csv).unwrap();
    let coluna = leitor.headers().unwrap().iter().position(|nome| nome == "id").unwrap();
    let ouvidas: Vec<csv::StringRecord> =
        leitor.records().map(Result::unwrap).filter(|linha| &linha[5] == "comprou").collect();
    let vendas = extrato["vendas"].as_array().unwrap();
    let do_extrato: BTreeSet<&str> = vendas.iter().filter_map(|v| v["pedido"].as_str()).collect();
    assert_eq!(do_extrato, ouvidas.iter().map(|linha| &linha[coluna]).collect());
    let contas = [vendas.len(), ouvidas.len(), conta(fim, "vendas") as usize];
    assert_eq!(contas, [do_extrato.len(); 3], "{fim:?}");
}

/// O que o cliente disse do AVISO: a penúltima linha, sem o começo.
///
/// # Panics
///
/// Ele não disse nada.
pub fn veredito_do_aviso(termino: &Termino) -> &str {
    let linha = termino.saida.lines().rev().nth(1).unwrap_or_default();
    let resto = linha.strip_prefix("Veredito do AVISO: ");
    resto.unwrap_or_else(|| panic!("nada disse do AVISO: {termino:?}"))
}

/// Um endereço que recusa conexões até se chamar `listen`; ninguém mais pode tomá-lo.
///
/// # Panics
///
/// O sistema não deu uma porta.
pub fn porta_fechada() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let endereco = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, endereco)
}

/// Uma porta livre para um programa que precisa sabê-la antes de abrir. Fica abaixo das que o sistema dá
/// a quem conecta, e cada processo de teste começa a procurar de um lugar só dele.
pub fn porta_livre() -> u16 {
    static PROXIMA: AtomicU32 = AtomicU32::new(0);
    loop {
        let vez = PROXIMA.fetch_add(1, Ordering::Relaxed);
        let porta = 20_000 + (process::id().wrapping_mul(16).wrapping_add(vez) % 10_000) as u16;
        if TcpListener::bind(("0.0.0.0", porta)).is_ok() {
            return porta;
        }
    }
}

/// Um servidor de mentira: cada `read` é um comando, como nas salas de aula, e `responder` diz o que
/// mandar de volta, letra por letra.
///
/// # Panics
///
/// O sistema não deu uma porta.
pub fn servidor_que(responder: impl FnMut(&str) -> String + Send + 'static) -> SocketAddr {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = porta.local_addr().unwrap();
    atender_sempre(porta, responder);
    endereco
}

/// Como [`servidor_que`], em uma porta já aberta.
pub fn atender_sempre(porta: TcpListener, responder: impl FnMut(&str) -> String + Send + 'static) {
    let responder = Arc::new(Mutex::new(responder));
    let atender = move |mut conexao: TcpStream| {
        let mut bytes = [0; 1024];
        while let Ok(lidos @ 1..) = conexao.read(&mut bytes) {
            let comando = String::from_utf8_lossy(&bytes[..lidos]).trim().to_owned();
            let resposta = (responder.lock().unwrap())(&comando);
            if conexao.write_all(resposta.as_bytes()).is_err() {
                break;
            }
        }
    };
    // As threads morrem com o processo do teste; nenhuma segura nada que outro teste use.
    thread::spawn(move || {
        for conexao in porta.incoming().flatten() {
            let atender = atender.clone();
            thread::spawn(move || atender(conexao));
        }
    });
}

/// Um servidor de mentira que tem sempre as mesmas dez unidades, e vende a mesma a todos.
pub fn quem_vende_sempre_a_mesma() -> SocketAddr {
    servidor_que(|comando| match comando {
        "CONSULTAR" => "Estoque atual: 10\n".into(),
        _ => "Compra realizada. Estoque restante: 9\n".into(),
    })
}
