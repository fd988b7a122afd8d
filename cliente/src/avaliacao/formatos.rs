//! O boletim nos formatos de outros: o do autograder do Gradescope e o do JUnit, que os sistemas de integração leem. Diz o
//! que o boletim guarda; não julga. De quem não abriu, diz por quê.

use askama::Template;
use clap::ValueEnum;
use serde::Serialize;

use super::boletim::{Boletim, Conferencia, nota};
use crate::relatorio::json::em_texto;

/// Um formato de outro programa.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Formato {
    /// O `results.json` do autograder.
    Gradescope,
    /// XML, um caso por conferência.
    Junit,
}

#[derive(Serialize)]
struct Gradescope {
    score: f64,
    output: String,
    tests: Vec<Prova>,
}

#[derive(Serialize)]
struct Prova {
    name: String,
    score: f64,
    max_score: f64,
    status: &'static str,
    output: String,
}

#[derive(Template)]
#[template(path = "junit.xml")]
struct Junit {
    nome: String,
    casos: Vec<Caso>,
    falhas: usize,
}

struct Caso {
    item: String,
    nome: String,
    viu: String,
    falhou: bool,
}

impl Formato {
    /// O documento inteiro.
    pub fn escrever(self, boletim: &Boletim) -> String {
        match self {
            Formato::Gradescope => gradescope(boletim),
            Formato::Junit => junit(boletim),
        }
    }

    /// O documento de um servidor que não se avaliou.
    pub fn sem_nota(self, nome: Option<&str>, motivo: &str) -> String {
        let nome = nome.unwrap_or("servidor").to_owned();
        match self {
            Formato::Gradescope => em_texto(&Gradescope {
                score: 0.0,
                output: limpo(&format!("{nome}: {motivo}")),
                tests: Vec::new(),
            }),
            Formato::Junit => {
                let (item, viu) = ("Abertura".to_owned(), limpo(motivo));
                let caso = Caso { item, nome: "o servidor abre".into(), viu, falhou: true };
                em_xml(Junit { nome: limpo(&nome), casos: vec![caso], falhas: 1 })
            }
        }
    }
}

fn passou(conferencia: &Conferencia) -> bool {
    conferencia.pontos >= conferencia.de
}

fn gradescope(boletim: &Boletim) -> String {
    let provas = boletim.itens.iter().flat_map(|item| {
        item.conferencias.iter().map(|conferencia| Prova {
            name: format!("{}: {}", item.nome, conferencia.tentou),
            score: conferencia.pontos,
            max_score: conferencia.de,
            status: if passou(conferencia) { "passed" } else { "failed" },
            output: limpo(&conferencia.viu),
        })
    });
    em_texto(&Gradescope {
        score: boletim.nota(),
        output: format!("{} de {}, sem os extras", nota(boletim.nota()), nota(boletim.maxima())),
        tests: provas.collect(),
    })
}

fn junit(boletim: &Boletim) -> String {
    let casos = boletim.itens.iter().flat_map(|item| {
        item.conferencias.iter().map(|conferencia| Caso {
            item: item.nome.to_owned(),
            nome: conferencia.tentou.clone(),
            viu: limpo(&conferencia.viu),
            falhou: !passou(conferencia),
        })
    });
    let casos: Vec<Caso> = casos.collect();
    let falhas = casos.iter().filter(|caso| caso.falhou).count();
    let nome = boletim.nome.as_ref().unwrap_or(&boletim.servidor);
    em_xml(Junit { nome: limpo(nome), casos, falhas })
}

fn em_xml(junit: Junit) -> String {
    // O modelo foi conferido ao compilar, e escrever em uma String não falha.
    junit.render().unwrap_or_default()
}

/// O XML não aceita caracteres de controle, nem escapados.
fn limpo(texto: &str) -> String {
    texto.chars().map(|letra| if letra.is_control() { ' ' } else { letra }).collect()
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn de_quem_nao_abriu_os_dois_formatos_dizem_por_que() {
        let json = Formato::Gradescope.sem_nota(Some("Ana"), "não abriu <\u{1b}>");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (json["score"].as_f64(), json["output"].as_str()),
            (Some(0.0), Some("Ana: não abriu < >"))
        );
        let xml = Formato::Junit.sem_nota(Some("Ana & cia"), "não abriu <x>");
        assert!(xml.contains("tests=\"1\" failures=\"1\"") && !xml.contains("<x>"), "{xml}");
    }
}
