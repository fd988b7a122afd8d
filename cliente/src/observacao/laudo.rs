//! O laudo do cliente: o texto, o JSON e a página. Diz o que as regras concluíram; não julga.
//!
//! # O JSON
//!
//! `formato` (1), `nome` (ou `null`), `cliente` (o comando que o abre), `comando` (o que repete a observação),
//! `exigencias` (cada uma com `chave`, `nome`, `secao`, `estado`, que é `cumprido`, `nao-cumprido` ou `nao-se-viu`, e
//! `viu`), `conexoes`, `simultaneas`, e, em segundos, `duracao` e `atraso` (o maior que esta máquina impôs ao relógio do
//! observador).

use std::fmt;
use std::io;
use std::time::Duration;

use askama::Template;
use protocolo::terminal::contar;
use serde::Serialize;

use super::regras::{ALEM, Estado, Exigencia};
use super::visto::{Conexao, Pedido, Resposta, Visto};
use crate::conversa::desfecho::Desfecho;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::cores::pintar;
use crate::historia::conjunto::Simulacao;
use crate::historia::medidas::Medidas;
use crate::historia::vivido::{self, Historia, Operacao};
use crate::relatorio::graficos::{Dados, Tela};
use crate::relatorio::json::em_texto;
use crate::relatorio::pagina::{SINAIS_DOS_USUARIOS, data_e_hora, legenda_dos_usuarios};

/// O que se concluiu de um cliente.
#[derive(Debug)]
pub struct Laudo {
    /// De quem é.
    pub nome: Option<String>,
    /// O comando que o abre.
    pub cliente: String,
    /// O comando que repete a observação.
    pub comando: String,
    /// As exigências, na ordem do enunciado.
    pub exigencias: Vec<Exigencia>,
    /// O que se viu na cena que vende.
    pub visto: Visto,
}

#[derive(Serialize)]
struct Documento<'a> {
    formato: u32,
    nome: Option<&'a str>,
    cliente: &'a str,
    comando: &'a str,
    exigencias: &'a [Exigencia],
    conexoes: usize,
    simultaneas: usize,
    duracao: f64,
    atraso: f64,
}

#[derive(Template)]
#[template(path = "observacao.html")]
struct Pagina<'a> {
    laudo: &'a Laudo,
    quando: String,
    larga: String,
    estreita: String,
    legenda: String,
    chave: &'static [(&'static str, &'static str, &'static str)],
}

impl Laudo {
    /// Quantas exigências do enunciado ficaram assim.
    pub fn quantas(&self, estado: Estado) -> usize {
        let do_enunciado = self.exigencias.iter().filter(|exigencia| exigencia.secao != ALEM);
        do_enunciado.filter(|exigencia| exigencia.estado == estado).count()
    }

    /// O documento JSON.
    pub fn json(&self) -> String {
        em_texto(&Documento {
            formato: 1,
            nome: self.nome.as_deref(),
            cliente: &self.cliente,
            comando: &self.comando,
            exigencias: &self.exigencias,
            conexoes: self.visto.conexoes.len(),
            simultaneas: self.visto.simultaneas(),
            duracao: self.visto.duracao.as_secs_f64(),
            atraso: self.visto.atraso(Duration::ZERO, self.visto.duracao).as_secs_f64(),
        })
    }

    /// A página HTML.
    pub fn html(&self) -> String {
        let simulacao = como_simulacao(&self.visto);
        let dados = Dados::de(&simulacao);
        let pagina = Pagina {
            laudo: self,
            quando: data_e_hora(),
            larga: dados.usuarios(Tela::Larga),
            estreita: dados.usuarios(Tela::Estreita),
            legenda: legenda_dos_usuarios(&dados, simulacao.historias.len()),
            chave: &SINAIS_DOS_USUARIOS,
        };
        // O modelo foi conferido ao compilar, e escrever em uma String não falha.
        pagina.render().unwrap_or_default()
    }
}

impl fmt::Display for Laudo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Cliente: {}", self.cliente)?;
        for exigencia in &self.exigencias {
            let tinta = exigencia.estado.tinta();
            f.write_str("  ")?;
            pintar(f, tinta, format_args!("{} {}", tinta.sinal(), exigencia.estado.nome()))?;
            writeln!(f, ": {} ({})\n      {}", exigencia.nome, exigencia.secao, exigencia.viu)?;
        }
        let [sim, nao, sem] =
            [Estado::Cumprido, Estado::NaoCumprido, Estado::NaoSeViu].map(|e| self.quantas(e));
        writeln!(
            f,
            "Do que o enunciado pede: {}, {} e {}.",
            contar(sim, "cumprida", "cumpridas"),
            contar(nao, "não cumprida", "não cumpridas"),
            contar(sem, "que não se viu", "que não se viram"),
        )
    }
}

/// O que se viu, na forma em que o relatório da multidão desenha os usuários: cada um é uma história.
fn como_simulacao(visto: &Visto) -> Simulacao {
    let usuarios = visto.usuarios().conexoes;
    let historias: Vec<Historia> =
        usuarios.iter().zip(1..).map(|(dele, numero)| historia(visto, dele, numero)).collect();
    Simulacao {
        usuarios: historias.len(),
        historias,
        medidas: Medidas::default(),
        perdidas: 0,
        csv: io::Result::Ok(()),
        semente: 0,
        servidores: Vec::new(),
        ciclos_previstos: 0,
        chegadas: None,
        fim_de_linha: FimDeLinha::Nenhum,
        duracao: visto.duracao,
        espera: Duration::ZERO,
        interrompida: false,
    }
}

fn historia(visto: &Visto, dele: &[usize], usuario: usize) -> Historia {
    let mut historia = Historia { usuario, ..Historia::default() };
    for (indice, numero) in dele.iter().zip(1..) {
        let conexao: &Conexao = &visto.conexoes[*indice];
        historia.conexoes.push(vivido::Conexao {
            numero,
            pediu: conexao.chegou,
            conectou: conexao.chegou,
            fechou: Some(conexao.saiu.unwrap_or(visto.duracao)),
            avisos: conexao.aviso.into_iter().collect(),
            ..vivido::Conexao::default()
        });
        historia.operacoes.extend(conexao.pedidos.iter().map(|pedido| operacao(pedido, numero)));
    }
    historia
}

fn operacao(pedido: &Pedido, conexao: u32) -> Operacao {
    let desfecho = match pedido.resposta {
        Resposta::Estoque(quanto) => Desfecho::Leu(i128::from(quanto)),
        Resposta::Vendida(quanto) => Desfecho::Comprou(i128::from(quanto)),
        Resposta::Esgotado => Desfecho::Recusado,
    };
    let resposta = pedido.respondido.map(|quando| (quando, desfecho));
    Operacao {
        conexao,
        compra: pedido.compra,
        enviada: pedido.quando,
        resposta,
        ..Operacao::default()
    }
}
