//! O avaliador, de ponta a ponta: servidores de alunos, cada um certo ou errado de um jeito, e a nota
//! que merecem; e o que o avaliador faz quando nem há o que avaliar.
//!
//! Os servidores estão em `alunos/`, em Python. Sem python3, os testes que dependem dele não têm o que
//! dizer: avisam e passam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acertam;
mod erram;
mod formatos;
mod interrompida;
mod mal_julgados;
mod sem_nota;

use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testes::{
    Cliente, Processo, Servidor, Signal, Termino, abre, ate, binario, comando, ninguem_atende,
    palavras_em_ingles, porta_livre, python, script,
};

/// Uma avaliação inteira abre o servidor muitas vezes, e um que bloqueia gasta todos os prazos dela.
const PRAZO_DA_AVALIACAO: Duration = Duration::from_secs(100);

/// Uma rodada, e mais compradores que unidades: basta para o que está certo ou errado sempre.
const BREVE: &str = "--rodadas 1 --compradores 12";

/// Para o que está errado quase sempre.
const FOLGADA: &str = "--rodadas 1 --compradores 30";

/// Põe o avaliador para trabalhar.
fn iniciar(opcoes: &[&str]) -> Processo {
    Processo::iniciar(comando("cliente", [&["avaliar"], opcoes].concat()))
}

/// O avaliador até o fim.
fn executar(opcoes: &[&str]) -> Termino {
    iniciar(opcoes).termino_em(PRAZO_DA_AVALIACAO)
}

/// O que uma avaliação concluiu.
#[derive(Debug)]
struct Laudo {
    json: Value,
    fim: Termino,
}

/// Avalia até o fim, e lê o laudo. As `outras` opções se separam por espaços.
fn avaliar(alvo: &[&str], outras: &str) -> Laudo {
    let pasta = tempfile::tempdir().unwrap();
    let json = pasta.path().join("laudo.json");
    let mut opcoes = alvo.to_vec();
    opcoes.extend(outras.split_whitespace());
    opcoes.extend(["--json", json.to_str().unwrap()]);
    let fim = executar(&opcoes);
    assert_eq!((fim.codigo, fim.erro.as_str()), (Some(0), ""), "{fim:?}");
    let json = std::fs::read_to_string(json).unwrap();
    Laudo { json: serde_json::from_str(&json).unwrap(), fim }
}

/// Avalia o servidor que este comando abre nesta porta, e confere que ele não sobrevive à avaliação.
fn avaliar_comando(comando: &str, porta: u16, outras: &str) -> Laudo {
    let laudo = avaliar(&["--iniciar", comando, "--porta", &porta.to_string()], outras);
    ninguem_atende(porta);
    laudo
}

/// Avalia o servidor de um aluno; `None` sem Python.
fn aluno(nome: &str, outras: &str) -> Option<Laudo> {
    let porta = porta_livre();
    Some(avaliar_comando(&abre(nome, porta)?, porta, outras))
}

impl Laudo {
    fn nota(&self) -> f64 {
        self.json["nota"].as_f64().unwrap()
    }

    /// Os pontos de cada item: Multithreading, Exclusão Mútua, Protocolo, Robustez.
    fn pontos(&self) -> [f64; 4] {
        let itens = self.json["itens"].as_array().unwrap();
        let pontos: Vec<f64> = itens.iter().map(|item| item["pontos"].as_f64().unwrap()).collect();
        pontos.try_into().unwrap()
    }

    /// Os estados dos extras: o log e o broadcast.
    fn extras(&self) -> [&str; 2] {
        let extra = |n: usize| self.json["extras"][n]["estado"].as_str().unwrap();
        [extra(0), extra(1)]
    }

    /// O que se viu em cada conferência e em cada extra, um por linha.
    fn viu(&self) -> String {
        let itens = self.json["itens"].as_array().unwrap();
        let conferencias = itens.iter().flat_map(|item| item["conferencias"].as_array().unwrap());
        let mut texto = String::new();
        for visto in conferencias.chain(self.json["extras"].as_array().unwrap()) {
            writeln!(texto, "{}", visto["viu"].as_str().unwrap()).unwrap();
        }
        texto
    }

    /// Estes pontos e estes extras; e as frases, se alguém quiser saber por quê.
    #[track_caller]
    fn confere(&self, pontos: [f64; 4], extras: [&str; 2], frases: &[&str]) {
        let iguais = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let dados = self.pontos();
        assert!(
            dados.iter().zip(pontos).all(|(a, b)| iguais(*a, b)),
            "{dados:?}\n{}",
            self.fim.saida
        );
        assert!(iguais(self.nota(), pontos.iter().sum()), "{}", self.nota());
        assert_eq!(self.extras(), extras, "{}", self.fim.saida);
        let viu = self.viu();
        for frase in frases {
            assert!(viu.contains(frase), "'{frase}' não está em:\n{viu}");
        }
    }

    /// Quantas rodadas houve.
    fn rodadas(&self) -> usize {
        self.json["rodadas"].as_array().unwrap().len()
    }
}

/// Todos os pontos.
const TUDO: [f64; 4] = [3.0, 4.0, 2.0, 1.0];

const SEM_LOG: [&str; 2] = ["nao-cumprido", "cumprido"];
const SEM_EXTRAS: [&str; 2] = ["nao-cumprido", "nao-cumprido"];

/// O servidor de um aluno com um trecho trocado, e a pasta em que está.
fn variante(nome: &str, trecho: &str, outro: &str) -> Option<(TempDir, String)> {
    python()?;
    let texto = std::fs::read_to_string(script(nome)).unwrap();
    assert_eq!(texto.matches(trecho).count(), 1, "{nome} mudou");
    let pasta = tempfile::tempdir().unwrap();
    let caminho = pasta.path().join(nome);
    std::fs::write(&caminho, texto.replace(trecho, outro)).unwrap();
    let caminho = caminho.to_str().unwrap().to_owned();
    Some((pasta, caminho))
}

/// Avalia o `quase_certo.py` deste jeito; `None` sem Python.
fn quase_certo(jeito: &str, outras: &str) -> Option<Laudo> {
    let porta = porta_livre();
    let comando = format!("{} {jeito}", abre("quase_certo.py", porta)?);
    Some(avaliar_comando(&comando, porta, outras))
}

/// Uma avaliação que não pode haver: sai com 1, sem nota, e uma linha só, que volta.
fn nao_avalia(opcoes: &[&str]) -> String {
    let Termino { codigo, saida, erro, .. } = executar(opcoes);
    assert_eq!((codigo, saida.as_str()), (Some(1), ""), "{opcoes:?}: {erro}");
    assert_eq!(erro.matches('\n').count(), 1, "{opcoes:?}: {erro}");
    assert!(erro.starts_with("cliente: ") && erro.ends_with('\n'), "{opcoes:?}: {erro}");
    erro
}

/// [`nao_avalia`], de um comando, em uma porta livre.
fn nao_abre(comando: &str, outras: &[&str]) -> String {
    let porta = porta_livre().to_string();
    nao_avalia(&[&["--iniciar", comando, "--porta", &porta], outras].concat())
}
