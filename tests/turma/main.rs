//! A turma, de ponta a ponta: pastas de entregas certas, erradas e mal-intencionadas, e o que o professor recebe.
//!
//! Os servidores são os de `alunos/`, em Python. Sem python3, ou onde o sistema não deixa isolar um programa, os testes que
//! dependem disso não têm o que dizer: avisam e passam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ataques;
mod clientes;
mod comandos;
mod notas;
mod retomada;
mod vizinhas;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testes::{
    Processo, Signal, Termino, abrir_pagina, ate, comando, navegador, porta_livre, python, script,
};

/// Uma turma pequena, com programas que gastam todos os prazos.
const PRAZO_DA_TURMA: Duration = Duration::from_secs(300);

/// Uma rodada, e mais compradores que unidades.
const BREVE: [&str; 4] = ["--rodadas", "1", "--compradores", "12"];

/// Como se abrem os servidores de `alunos/`.
const EM_PYTHON: [&str; 2] = ["--iniciar", "python3 {arquivo} {porta}"];

/// Uma turma em uma pasta que some no fim.
struct Turma {
    pasta: TempDir,
}

impl Turma {
    fn nova() -> Self {
        let pasta = tempfile::tempdir().unwrap();
        // Se o professor é root, quem executa a cela é outro, e passa por aqui.
        fs::set_permissions(pasta.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let turma = Turma { pasta };
        fs::create_dir(turma.entregas()).unwrap();
        fs::create_dir(turma.provisorios()).unwrap();
        turma
    }

    /// Onde ela põe o que é só dela, e some: o nome também marca as celas que abriu.
    fn provisorios(&self) -> PathBuf {
        self.pasta.path().join("tmp")
    }

    fn entregas(&self) -> PathBuf {
        self.pasta.path().join("entregas")
    }

    fn saida(&self) -> PathBuf {
        self.pasta.path().join("saida")
    }

    /// Põe um arquivo em uma entrega.
    fn entregar(&self, entrega: &str, arquivo: &str, texto: &str) {
        let caminho = self.entregas().join(entrega).join(arquivo);
        fs::create_dir_all(caminho.parent().unwrap()).unwrap();
        fs::write(caminho, texto).unwrap();
    }

    /// Uma entrega com o servidor de um aluno.
    fn aluno(&self, entrega: &str, aluno: &str) {
        self.entregar(entrega, "servidor.py", &fs::read_to_string(script(aluno)).unwrap());
    }

    /// Uma entrega que começa por isto, e depois é um servidor certo.
    fn ataque(&self, entrega: &str, antes: &str) {
        self.aluno(entrega, "correto.py");
        let certo = fs::read_to_string(self.entregas().join(entrega).join("servidor.py")).unwrap();
        self.entregar(entrega, "servidor.py", &format!("{antes}\n{certo}"));
    }

    fn iniciar(&self, opcoes: &[&str]) -> Processo {
        let (entregas, saida) = (self.entregas(), self.saida());
        let fixas = ["turma", entregas.to_str().unwrap(), "--saida", saida.to_str().unwrap()];
        // Quem diz quantas quer, diz as duas.
        let breve = if opcoes.contains(&"--rodadas") { &[][..] } else { &BREVE[..] };
        let mut comando = comando("cliente", [&fixas[..], breve, opcoes].concat());
        comando.env("SEGREDO_NO_AMBIENTE", "1").env("TMPDIR", self.provisorios());
        Processo::iniciar(comando)
    }

    /// A turma inteira, até o fim.
    fn corrigir(&self, opcoes: &[&str]) -> Termino {
        let fim = self.iniciar(opcoes).termino_em(PRAZO_DA_TURMA);
        assert_eq!(fim.codigo, Some(0), "{fim:?}");
        let sobrou: Vec<_> = fs::read_dir(self.provisorios()).unwrap().collect();
        assert!(sobrou.is_empty(), "{sobrou:?}");
        fim
    }

    /// A turma, toda em Python.
    fn corrigir_em_python(&self) -> Termino {
        self.corrigir(&EM_PYTHON)
    }

    /// As linhas de turma.csv: cada nome com as colunas da linha dele.
    fn linhas(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut csv = csv::Reader::from_path(self.saida().join("turma.csv")).unwrap();
        let titulos = csv.headers().unwrap().clone();
        let linha = |linha: csv::StringRecord| {
            let campos = titulos.iter().map(String::from).zip(linha.iter().map(String::from));
            (linha[0].to_owned(), campos.collect())
        };
        csv.records().map(|lida| linha(lida.unwrap())).collect()
    }

    fn coluna(&self, nome: &str, coluna: &str) -> String {
        self.linhas()[nome][coluna].clone()
    }

    fn nota(&self, nome: &str) -> String {
        self.coluna(nome, "nota")
    }

    fn laudo(&self, apelido: &str) -> Value {
        let texto = fs::read_to_string(self.saida().join("alunos").join(format!("{apelido}.json")));
        serde_json::from_str(&texto.unwrap()).unwrap()
    }

    fn pagina(&self, apelido: &str) -> String {
        fs::read_to_string(self.saida().join("alunos").join(format!("{apelido}.html"))).unwrap()
    }
}

/// Há Python, e o sistema deixa isolar um programa?
fn isola() -> bool {
    static ISOLA: OnceLock<bool> = OnceLock::new();
    let tentar = || {
        let turma = Turma::nova();
        turma.entregar("ninguém", "nada.txt", "");
        let fim = turma.iniciar(&[]).termino_em(PRAZO_DA_TURMA);
        if fim.codigo != Some(0) {
            println!("não se isola nesta máquina: teste pulado ({})", fim.erro);
        }
        fim.codigo == Some(0)
    };
    python().is_some() && *ISOLA.get_or_init(tentar)
}

/// Algum processo da máquina tem tudo isto na linha de comando?
fn algum_processo_diz(marcas: &[&str]) -> bool {
    let processos = fs::read_dir("/proc").unwrap().flatten();
    let comandos = processos.filter_map(|pid| fs::read(pid.path().join("cmdline")).ok());
    comandos
        .map(|comando| String::from_utf8_lossy(&comando).into_owned())
        .any(|comando| marcas.iter().all(|marca| comando.contains(marca)))
}
