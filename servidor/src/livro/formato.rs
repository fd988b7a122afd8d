//! O que um livro é: a marca, as tabelas, os limites, os nomes dos arquivos e as contas que se tiram dele.
//!
//! Só diz. Quem o abre é `arquivo.rs`, e quem o confere, `conferencia.rs`.

use std::fmt;
use std::path::{Path, PathBuf};

use protocolo::terminal::hora_do_relogio;

/// Marca o arquivo como nosso, no cabeçalho: "LIVR" (`application_id` em fileformat2.html, do SQLite).
pub(super) const MARCA: u32 = u32::from_be_bytes(*b"LIVR");

/// A versão das tabelas (`user_version`, idem). Um programa não mexe em um livro de versão maior.
pub(super) const FORMATO: u32 = 2;

/// As tabelas do formato 1.
pub(super) const TABELAS: &str = "
    CREATE TABLE estoque (
        numero          INTEGER PRIMARY KEY,
        instante        TEXT    NOT NULL,
        tipo            TEXT    NOT NULL CHECK (tipo IN ('inicial', 'reposicao')),
        unidades        INTEGER NOT NULL CHECK (unidades >= 0),
        depois_da_venda INTEGER NOT NULL CHECK (depois_da_venda >= 0)
    ) STRICT;
    CREATE TABLE vendas (
        numero   INTEGER PRIMARY KEY CHECK (numero > 0),
        instante TEXT    NOT NULL,
        endereco TEXT    NOT NULL,
        restante INTEGER NOT NULL CHECK (restante >= 0)
    ) STRICT;";

/// O que o formato 2 acrescenta, a um livro novo ou a um do 1: os pedidos com id, os vendidos e os recusados. À parte das
/// vendas, para que uma venda sem id continue a custar o que custava.
pub(super) const DO_FORMATO_2: &str = "
    CREATE TABLE pedidos (
        pedido TEXT    NOT NULL PRIMARY KEY,
        venda  INTEGER NOT NULL UNIQUE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE recusas (
        numero   INTEGER PRIMARY KEY,
        instante TEXT    NOT NULL,
        pedido   TEXT    NOT NULL UNIQUE
    ) STRICT;";

/// De quantos pedidos recusados o livro se lembra. Recusar não tem fim, e o disco tem.
pub(super) const RECUSAS_GUARDADAS: u64 = 100_000;

/// Os inteiros do SQLite têm sinal: é o máximo de unidades que um livro conta.
pub(super) const UNIDADES_MAXIMAS: u64 = i64::MAX as u64;

/// Até onde o WAL cresce à espera de um leitor. Ao abrir depois de uma queda, é o que há para reler.
pub(super) const TETO_DO_WAL: u64 = 1024 * 1024 * 1024;

/// Quantos quadros (de 4 KiB) se passam para o arquivo ao fechar: 32 MiB, mais do que há quando ninguém segura o WAL.
pub(super) const QUADROS_AO_FECHAR: u32 = 8192;

/// O que o livro diz do estoque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contas {
    /// Unidades com que o livro foi criado.
    pub inicial: u64,
    /// Unidades acrescentadas depois, ao todo.
    pub repostas: u64,
    /// Unidades vendidas.
    pub vendidas: u64,
}

impl Contas {
    /// Tudo o que já entrou no estoque.
    pub fn entradas(self) -> u64 {
        self.inicial.saturating_add(self.repostas)
    }

    /// Unidades à venda.
    pub fn restantes(self) -> u64 {
        self.entradas().saturating_sub(self.vendidas)
    }
}

/// `7 de 10 vendidas`
impl fmt::Display for Contas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} de {} vendidas", self.vendidas, self.entradas())
    }
}

/// O nome de um arquivo que o SQLite põe ao lado do livro.
pub(super) fn ao_lado(caminho: &Path, sufixo: &str) -> PathBuf {
    let mut nome = caminho.as_os_str().to_owned();
    nome.push(sufixo);
    nome.into()
}

/// A hora, como vai ao livro.
pub(super) fn agora() -> String {
    humantime::format_rfc3339_millis(hora_do_relogio()).to_string()
}
