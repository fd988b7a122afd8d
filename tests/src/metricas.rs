//! As métricas de um servidor aberto com `--metricas`, lidas como um Prometheus as leria.

use std::net::SocketAddr;

use crate::{Cliente, Servidor};

/// O que se manda a quem as mostra.
pub const LER_METRICAS: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

/// Onde este servidor as mostra.
///
/// # Panics
///
/// Ele não o disse.
pub fn onde_mostra(servidor: &Servidor) -> SocketAddr {
    let dito =
        servidor.erro().ate("onde se mostram as métricas", |dito| dito.contains("/metrics\n"));
    let endereco = dito.split("métricas: http://").nth(1).and_then(|resto| resto.split('/').next());
    endereco.and_then(|endereco| endereco.parse().ok()).unwrap_or_else(|| panic!("{dito}"))
}

/// Os números de agora.
///
/// # Panics
///
/// Não vieram inteiros.
pub fn ler_metricas(endereco: SocketAddr) -> String {
    let mut leitor = Cliente::conectar(endereco);
    leitor.manda(LER_METRICAS);
    corpo(&leitor.fim())
}

/// O corpo de uma resposta que traz os números.
///
/// # Panics
///
/// Não é uma, ou não veio inteira.
pub fn corpo(resposta: &str) -> String {
    let (cabecalhos, corpo) =
        resposta.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{resposta:?}"));
    assert!(cabecalhos.starts_with("HTTP/1.1 200 OK\r\n"), "{cabecalhos}");
    assert!(cabecalhos.contains("\r\nContent-Type: text/plain; version=0.0.4"), "{cabecalhos}");
    let tamanho = format!("\r\nContent-Length: {}\r\n", corpo.len());
    assert!(cabecalhos.contains(&tamanho), "{cabecalhos}\n{} bytes", corpo.len());
    corpo.into()
}

/// O número de `nome`, que leva os rótulos.
///
/// # Panics
///
/// Não há tal número.
pub fn numero(metricas: &str, nome: &str) -> u64 {
    let valor = metricas.lines().find_map(|linha| linha.strip_prefix(nome)?.strip_prefix(' '));
    let valor = valor.and_then(|valor| valor.parse().ok());
    valor.unwrap_or_else(|| panic!("não há {nome}:\n{metricas}"))
}
