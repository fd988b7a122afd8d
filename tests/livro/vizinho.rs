//! O programa de outra pessoa, com uma transação aberta no livro.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::sob_teste::Arquivo;

const PROGRAMA: &str = "
import sqlite3, sys
livro = sqlite3.connect(sys.argv[1], isolation_level=None)
livro.execute(sys.argv[2])
livro.execute('SELECT count(*) FROM vendas').fetchone()
print('pronto', flush=True)
sys.stdin.readline()
livro.close()
";

/// Um vizinho; acaba quando lhe mandam, ou com o teste.
pub struct Vizinho(Child, ChildStdin);

impl Vizinho {
    /// Quem começa uma transação com este `comeco` e a deixa aberta; `None`, e fica dito, sem python3.
    pub fn novo(livro: &Arquivo, comeco: &str) -> Option<Self> {
        let mut python = Command::new("python3");
        python.args(["-c", PROGRAMA, livro.caminho(), comeco]);
        let Ok(mut filho) = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            println!("sem python3: teste pulado");
            return None;
        };
        let mut linha = String::new();
        BufReader::new(filho.stdout.take().unwrap()).read_line(&mut linha).unwrap();
        assert_eq!(linha, "pronto\n");
        let entrada = filho.stdin.take().unwrap();
        Some(Vizinho(filho, entrada))
    }

    pub fn sair(mut self) {
        writeln!(self.1).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Vizinho {
    fn drop(&mut self) {
        // Se já saiu, não há o que matar.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
