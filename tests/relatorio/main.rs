//! O que a multidão deixa escrito: o relatório em HTML, em JSON e em CSV, e o que `--exigir` e
//! `--estoque` cobram. Os três arquivos contam a história que o terminal e o servidor contam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod comparar;
mod dados;
mod fim;
mod navegador;
mod pagina;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;
use tempfile::TempDir;
use testes::{
    PRAZO, Processo, Servidor, Signal, Termino, abrir_aluno, abrir_pagina, argumentos, binario,
    comando, conta, multidao, navegador, palavras_em_ingles, porta_fechada, porta_livre, python,
    quem_vende_sempre_a_mesma, servidor_que, veredito, veredito_do_aviso,
};

/// Os três arquivos de uma multidão, e como ela terminou.
struct Relatos {
    pasta: TempDir,
    fim: Termino,
}

impl Relatos {
    /// Onde ficam os arquivos. O nome tem tudo o que um shell e uma página HTML estranham.
    fn pasta() -> TempDir {
        tempfile::Builder::new().prefix("caixa d'água <b>&amp; \"cia\" $HOME").tempdir().unwrap()
    }

    fn comando(pasta: &TempDir, servidor: SocketAddr, opcoes: &str) -> Command {
        let mut comando = comando("cliente", argumentos(servidor, opcoes));
        for tipo in ["relatorio.html", "json.json", "csv.csv"] {
            let (opcao, _) = tipo.split_once('.').unwrap();
            comando.arg(format!("--{opcao}")).arg(pasta.path().join(tipo));
        }
        comando
    }

    fn de(servidor: SocketAddr, opcoes: &str) -> Self {
        let pasta = Relatos::pasta();
        let fim = Processo::iniciar(Relatos::comando(&pasta, servidor, opcoes)).termino();
        Relatos { pasta, fim }
    }

    fn ler(&self, nome: &str) -> String {
        fs::read_to_string(self.pasta.path().join(nome)).unwrap()
    }

    fn html(&self) -> String {
        self.ler("relatorio.html")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.ler("json.json")).unwrap()
    }

    /// As linhas do CSV, sem o cabeçalho.
    fn csv(&self) -> Vec<Linha> {
        let texto = self.ler("csv.csv");
        let cabecalho =
            "usuario,conexao,pedido,enviada_s,chegou_s,resultado,valor,servidor,marcada_s,id\n";
        assert!(texto.starts_with(cabecalho), "{texto}");
        let mut leitor = csv::Reader::from_reader(texto.as_bytes());
        leitor.records().map(|linha| Linha::de(&linha.unwrap())).collect()
    }
}

#[derive(Debug)]
struct Linha {
    usuario: u64,
    pedido: String,
    enviada: Option<f64>,
    chegou: Option<f64>,
    resultado: String,
    valor: String,
}

impl Linha {
    fn de(linha: &csv::StringRecord) -> Self {
        assert!(linha[1].parse::<u32>().unwrap() >= 1, "{linha:?}");
        let instante = |texto: &str| {
            let (_, casas) = texto.split_once('.')?;
            assert_eq!(casas.len(), 9, "nove casas: {linha:?}");
            Some(texto.parse().unwrap())
        };
        Linha {
            usuario: linha[0].parse().unwrap(),
            pedido: linha[2].into(),
            enviada: instante(&linha[3]),
            chegou: instante(&linha[4]),
            resultado: linha[5].into(),
            valor: linha[6].into(),
        }
    }
}

fn quantas(linhas: &[Linha], pedido: &str, resultado: &str) -> u64 {
    let iguais = linhas.iter().filter(|l| l.pedido == pedido && l.resultado == resultado);
    iguais.count() as u64
}

/// Confere que `valor` é um objeto com estas chaves, e mais nenhuma.
#[track_caller]
fn tem_so(valor: &Value, chaves: &str) {
    let mut achadas: Vec<&str> = valor.as_object().unwrap().keys().map(String::as_str).collect();
    let mut esperadas: Vec<&str> = chaves.split_whitespace().collect();
    achadas.sort_unstable();
    esperadas.sort_unstable();
    assert_eq!(achadas, esperadas);
}

/// Os elementos de uma lista.
#[track_caller]
fn lista(valor: &Value) -> &[Value] {
    valor.as_array().unwrap()
}

fn numeros(valor: &Value) -> Vec<f64> {
    lista(valor).iter().map(|n| n.as_f64().unwrap()).collect()
}

/// Os tempos da tabela de latências do terminal na linha de `nome`, em segundos.
fn latencias_do_terminal(fim: &Termino, nome: &str) -> Vec<f64> {
    let tabela = fim.saida.split("latência").nth(1).unwrap();
    let linha = tabela.lines().find_map(|linha| linha.trim().strip_prefix(nome)).unwrap();
    let colunas: Vec<&str> = linha.split_whitespace().collect();
    let tempo = |par: &[&str]| {
        let unidade = match par[1] {
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" => 1e-6,
            outra => panic!("que unidade é {outra}?"),
        };
        par[0].replace(',', ".").parse::<f64>().unwrap() * unidade
    };
    colunas.chunks(2).map(tempo).collect()
}

/// O que um servidor pode dizer para confundir quem lê os arquivos.
const ESTRANHA: &str = "disse \"oi\", =1+1; <script>alert(1)</script>\r\u{1b}[2J ção";

/// Um servidor que responde às consultas e, às compras, algo estranho; e avisa o que não devia.
fn quem_responde_estranho() -> SocketAddr {
    servidor_que(|comando| match comando {
        "CONSULTAR" => "Estoque atual: 5\nAVISO: <script>alert(2)</script>\n".into(),
        _ => format!("{ESTRANHA}\n"),
    })
}

/// O texto que a página mostra, com as entidades desfeitas.
fn lida(html: &str) -> String {
    let entidades =
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entidades.iter().fold(html.to_owned(), |texto, (de, para)| texto.replace(de, para))
}

/// Confere que a página é um arquivo só, bem formado, sem scripts nem rede, com tantos gráficos.
#[track_caller]
fn pagina_inteira(html: &str, graficos: usize) {
    assert!(html.starts_with("<!doctype html>\n<html lang=\"pt-BR\">"), "{html}");
    let sem_namespace = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for proibido in [
        "<script",
        "http://",
        "https://",
        " src=",
        " href=",
        "@import",
        "url(",
        "<link",
        "<iframe",
        "<img",
        "<base",
        "javascript:",
        " onload=",
        " onclick=",
    ] {
        assert!(!sem_namespace.to_lowercase().contains(proibido), "há {proibido} na página");
    }
    etiquetas_fecham(html);
    let vezes = |texto: &str| html.matches(texto).count();
    assert_eq!(vezes("<figure"), graficos, "gráficos");
    assert_eq!((vezes("class=\"larga\""), vezes("class=\"estreita\"")), (graficos, graficos));
    assert_eq!(vezes("<svg "), 2 * graficos);
    assert_eq!(vezes("width=\"960\" height="), graficos);
    assert_eq!(vezes("width=\"400\" height="), graficos);
    assert!(!html.contains("NaN") && !html.contains("inf "), "uma conta sem resultado na página");
}

/// Confere que cada etiqueta que abre fecha, na ordem.
#[track_caller]
fn etiquetas_fecham(html: &str) {
    let mut abertas: Vec<&str> = Vec::new();
    for depois in html.split('<').skip(1) {
        let (etiqueta, _) = depois.split_once('>').unwrap_or_else(|| panic!("sem fim: {depois}"));
        let nome = etiqueta.split_whitespace().next().unwrap();
        if let Some(nome) = nome.strip_prefix('/') {
            assert_eq!(abertas.pop(), Some(nome), "fecha o que não abriu");
        } else if !etiqueta.ends_with('/') && !["!doctype", "meta"].contains(&nome) {
            abertas.push(nome);
        }
    }
    assert_eq!(abertas, [""; 0], "não fecham");
}

/// Só o que se lê na página: sem as etiquetas, o estilo e o comando, que é como se escreveu.
fn so_texto(html: &str) -> String {
    let corpo =
        html.split("<body>").nth(1).unwrap().split("<pre class=\"comando\">").next().unwrap();
    corpo.split('<').filter_map(|parte| parte.split_once('>')).map(|(_, texto)| texto).collect()
}

/// O desenho para telas largas (ou `"estreita"`s) do gráfico com este título.
fn grafico<'a>(html: &'a str, titulo: &str, tela: &str) -> &'a str {
    let secao = html.split("<section>").find(|s| s.contains(&format!("<h2>{titulo}</h2>")));
    let secao = secao.unwrap_or_else(|| panic!("não há {titulo}"));
    let depois = secao.split_once(&format!("class=\"{tela}\"")).unwrap().1;
    depois.split_once("</svg>").unwrap().0
}

/// Os desenhos das contradições para telas largas (ou `"estreita"`s).
fn contradicoes<'a>(html: &'a str, tela: &str) -> impl Iterator<Item = &'a str> {
    let (_, resto) = html.split_once("<h2>As contradições</h2>").unwrap();
    let (secao, _) = resto.split_once("</section>").unwrap();
    let inicio = format!("class=\"{tela}\"");
    secao.split("<div ").filter(move |div| div.starts_with(&inicio))
}
