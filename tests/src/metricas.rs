//! As métricas de um servidor aberto com `--metricas`, lidas como um Prometheus as leria.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

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

/// O que fala das métricas a quem opera: o painel do Grafana e o texto.
pub const PAINEL_E_TEXTO: [&str; 2] = ["servidor/pacote/grafana.json", "servidor/docs/operacao.md"];

/// Um arquivo do projeto.
///
/// # Panics
///
/// Não há.
pub fn ler(nome: &str) -> String {
    let raiz = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(raiz.join(nome)).unwrap()
}

/// As métricas de que um texto fala, sem o `vendas_` e sem o que um histograma lhes acrescenta.
pub fn metricas_citadas(texto: &str) -> BTreeSet<String> {
    let palavras = texto.split(|letra: char| !(letra.is_ascii_lowercase() || letra == '_'));
    let nossas = palavras.filter_map(|palavra| palavra.strip_prefix("vendas_"));
    let sem_sufixo = |nome: &str| {
        let histograma =
            ["_bucket", "_count", "_sum"].iter().find_map(|fim| nome.strip_suffix(fim));
        histograma.unwrap_or(nome).to_owned()
    };
    // No texto que mostra o começo de todas, não há um nome.
    nossas.filter(|nome| !nome.is_empty()).map(sem_sufixo).collect()
}

/// As que estão na tabela do texto, que as diz sem o `vendas_`.
pub fn metricas_da_tabela(texto: &str) -> impl Iterator<Item = String> {
    let linhas = texto.lines().skip_while(|linha| !linha.starts_with("| Métrica "));
    let linhas = linhas.skip(2).take_while(|linha| linha.starts_with("| "));
    let nomes = linhas.flat_map(|linha| {
        // Entre crases, na primeira coluna; e sem o rótulo.
        let coluna = linha.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        coluna.split('`').skip(1).step_by(2)
    });
    nomes.map(|nome| nome.split('{').next().unwrap_or_default().to_owned())
}
