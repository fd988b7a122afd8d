//! O boletim nos formatos de outros: o do autograder do Gradescope e o do JUnit, que os sistemas de integração leem. Diz o
//! que o boletim guarda; não julga. De quem não se avaliou, diz por quê.
//!
//! O JUnit não tem um dono. O que se escreve cabe no esquema que o Jenkins confere (`junit-10.xsd`, do plugin xUnit): os
//! filhos e os atributos que ele conhece, as contas certas, o tempo em segundos com três casas e a hora sem fuso. Não se diz o
//! tempo de cada caso, porque as conferências se fazem juntas e ele não existe.

use std::time::Duration;

use askama::Template;
use clap::ValueEnum;
use serde::Serialize;

use super::boletim::{Boletim, Conferencia, nota};
use super::erro::Erro;
use crate::relatorio::json::em_texto;
use crate::relatorio::pagina::hora_sem_fuso;

/// Um formato de outro programa.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Formato {
    /// O `results.json` do autograder.
    Gradescope,
    /// XML, um caso por conferência.
    Junit,
}

/// Os campos que a documentação do autograder dá; os que ficam de fora têm, para ele, o valor que queremos.
#[derive(Serialize)]
struct Gradescope {
    /// Sem este, o Gradescope diz a quem corrige que o autograder falhou, e não dá zero a ninguém.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<u64>,
    output: String,
    output_format: &'static str,
    test_output_format: &'static str,
    test_name_format: &'static str,
    visibility: &'static str,
    tests: Vec<Prova>,
}

#[derive(Serialize)]
struct Prova {
    name: String,
    number: String,
    score: f64,
    max_score: f64,
    status: &'static str,
    output: String,
    visibility: &'static str,
}

#[derive(Template)]
#[template(path = "junit.xml")]
struct Junit {
    nome: String,
    casos: Vec<Caso>,
    tempo: Option<String>,
    quando: String,
    propriedades: Vec<(&'static str, String)>,
}

struct Caso {
    item: String,
    nome: String,
    viu: String,
    fim: Fim,
    /// Quanto custou.
    perdeu: String,
}

/// Como um caso acabou.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fim {
    Passou,
    Falhou,
    /// Não se chegou a conferir, e não por causa do que se avalia.
    NaoSeFez,
}

impl Formato {
    /// O documento inteiro.
    pub fn escrever(self, boletim: &Boletim) -> String {
        match self {
            Formato::Gradescope => gradescope(boletim),
            Formato::Junit => junit(boletim),
        }
    }

    /// O documento de um servidor que não se avaliou. Se não abriu, vale zero; se a culpa é desta máquina, não vale nada.
    pub fn sem_nota(self, nome: Option<&str>, erro: &Erro) -> String {
        let (nome, motivo) = (nome.unwrap_or("servidor"), erro.to_string());
        match self {
            Formato::Gradescope => em_texto(&Gradescope {
                score: erro.do_servidor().then_some(0.0),
                output: limpo(&format!("{nome}: {motivo}")),
                ..Gradescope::vazio()
            }),
            Formato::Junit => {
                let fim = if erro.do_servidor() { Fim::Falhou } else { Fim::NaoSeFez };
                let caso = Caso {
                    item: "Abertura".into(),
                    nome: "o servidor abre".into(),
                    viu: limpo(&motivo),
                    fim,
                    perdeu: "sem nota".into(),
                };
                em_xml(&Junit {
                    nome: limpo(nome),
                    casos: vec![caso],
                    tempo: None,
                    quando: hora_sem_fuso(),
                    propriedades: Vec::new(),
                })
            }
        }
    }
}

impl Gradescope {
    fn vazio() -> Self {
        Gradescope {
            score: None,
            execution_time: None,
            output: String::new(),
            output_format: "text",
            test_output_format: "text",
            test_name_format: "text",
            visibility: "visible",
            tests: Vec::new(),
        }
    }
}

impl Junit {
    fn quantos(&self, fim: Fim) -> usize {
        self.casos.iter().filter(|caso| caso.fim == fim).count()
    }
}

fn passou(conferencia: &Conferencia) -> bool {
    conferencia.pontos >= conferencia.de
}

fn gradescope(boletim: &Boletim) -> String {
    let provas = boletim.itens.iter().zip(1..).flat_map(|(item, i)| {
        item.conferencias.iter().zip(1..).map(move |(conferencia, j)| Prova {
            name: limpo(&format!("{}: {}", item.nome, conferencia.tentou)),
            number: format!("{i}.{j}"),
            score: arredondado(conferencia.pontos),
            max_score: arredondado(conferencia.de),
            status: if passou(conferencia) { "passed" } else { "failed" },
            output: limpo(&conferencia.viu),
            visibility: "visible",
        })
    });
    let de_quem = boletim.nome.as_ref().map(|nome| format!("{nome}: ")).unwrap_or_default();
    let (pontos, maxima) = (nota(boletim.nota()), nota(boletim.maxima()));
    em_texto(&Gradescope {
        score: Some(arredondado(boletim.nota())),
        execution_time: Some(boletim.duracao.as_secs()),
        output: limpo(&format!("{de_quem}{pontos} de {maxima}, sem os extras")),
        tests: provas.collect(),
        ..Gradescope::vazio()
    })
}

fn junit(boletim: &Boletim) -> String {
    let casos = boletim.itens.iter().flat_map(|item| {
        item.conferencias.iter().map(|conferencia| Caso {
            item: item.nome.to_owned(),
            nome: limpo(&conferencia.tentou),
            viu: limpo(&conferencia.viu),
            fim: if passou(conferencia) { Fim::Passou } else { Fim::Falhou },
            perdeu: format!("{} de {}", nota(conferencia.pontos), nota(conferencia.de)),
        })
    });
    let nome = boletim.nome.as_ref().unwrap_or(&boletim.servidor);
    em_xml(&Junit {
        nome: limpo(nome),
        casos: casos.collect(),
        tempo: Some(em_segundos(boletim.duracao)),
        quando: hora_sem_fuso(),
        propriedades: vec![
            ("servidor", limpo(&boletim.servidor)),
            ("nota", nota(boletim.nota())),
            ("maxima", nota(boletim.maxima())),
        ],
    })
}

fn em_xml(junit: &Junit) -> String {
    // O modelo foi conferido ao compilar, e escrever em uma String não falha.
    junit.render().unwrap_or_default()
}

fn em_segundos(duracao: Duration) -> String {
    format!("{:.3}", duracao.as_secs_f64())
}

/// Pontos sem o resto que a soma de décimos deixa.
fn arredondado(pontos: f64) -> f64 {
    (pontos * 1e4).round() / 1e4
}

/// O XML não aceita os caracteres de controle nem os que não são caracteres, e nem escapados: mostra-se o número deles. O
/// mesmo no JSON, em que passariam, e mandariam no terminal de quem o lê.
fn limpo(texto: &str) -> String {
    let mostrar = |letra: char| match letra {
        '\n' | '\r' | '\t' => ' '.to_string(),
        _ if letra.is_control() || (u32::from(letra) & 0xFFFE) == 0xFFFE => {
            letra.escape_unicode().to_string()
        }
        _ => letra.to_string(),
    };
    texto.chars().map(mostrar).collect()
}

#[cfg(test)]
mod testes {
    use super::super::boletim::exemplos::{self, conferencia};
    use super::super::boletim::{Estado, Item};
    use super::*;

    fn json(texto: &str) -> serde_json::Value {
        serde_json::from_str(texto).unwrap()
    }

    #[test]
    fn de_quem_nao_abriu_os_dois_formatos_dizem_por_que() {
        let erro = Erro::Terminou(" <\u{1b}]]>\u{fffe}".into());
        let lido = json(&Formato::Gradescope.sem_nota(Some("Ana"), &erro));
        assert_eq!(lido["score"].as_f64(), Some(0.0));
        let dito = r"Ana: o servidor terminou antes de abrir <\u{1b}]]>\u{fffe}";
        assert_eq!(lido["output"].as_str(), Some(dito));
        let xml = Formato::Junit.sem_nota(Some("Ana & cia"), &erro);
        assert!(xml.contains("tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{xml}");
        assert!(xml.contains("Ana &#38; cia") && !xml.contains("]]>"), "{xml}");
    }

    #[test]
    fn o_que_e_culpa_da_maquina_nao_e_zero_nem_falha() {
        let erro = Erro::PortaOcupada { porta: 12346, dono: None };
        let lido = json(&Formato::Gradescope.sem_nota(None, &erro));
        assert!(lido.get("score").is_none() && lido["tests"].as_array().is_some(), "{lido}");
        let xml = Formato::Junit.sem_nota(None, &erro);
        assert!(xml.contains("failures=\"0\" errors=\"1\"") && xml.contains("<error "), "{xml}");
    }

    #[test]
    fn as_contas_do_junit_e_os_pontos_do_gradescope_sao_os_do_boletim() {
        let tres = [("a", 0.7, 0.7), ("b", 0.1, 2.3), ("c", 7.0, 7.0)];
        let conferencias = tres.map(|(viu, pontos, de)| conferencia(viu, pontos, de)).to_vec();
        let itens = vec![Item { nome: "Protocolo", conferencias }];
        let boletim = exemplos::boletim(itens, Estado::Cumprido);
        let xml = Formato::Junit.escrever(&boletim);
        let (tentou, perdeu) =
            (xml.matches("<testcase ").count(), xml.matches("<failure ").count());
        assert!(perdeu > 0 && perdeu < tentou, "{xml}");
        assert!(xml.contains(&format!("tests=\"{tentou}\" failures=\"{perdeu}\" errors=\"0\"")));
        assert!(xml.contains(" time=\"12.346\" "), "{xml}");
        let lido = json(&Formato::Gradescope.escrever(&boletim));
        let provas = lido["tests"].as_array().unwrap();
        let soma = |campo: &str| provas.iter().filter_map(|p| p[campo].as_f64()).sum::<f64>();
        assert!((soma("score") - lido["score"].as_f64().unwrap()).abs() < 1e-9, "{lido}");
        assert!((soma("max_score") - 10.0).abs() < 1e-9, "{lido}");
        assert_eq!(lido["execution_time"].as_u64(), Some(12));
    }
}
