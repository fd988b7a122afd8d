//! Por que um livro não serve, em uma linha que diz o que fazer.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DIRECTORY;

use super::formato::{FORMATO, TETO_DO_WAL, UNIDADES_MAXIMAS};

/// Por que o livro não serve, ou deixou de servir. `Display` dá uma linha, que diz o que fazer.
#[derive(Debug)]
pub struct Erro {
    caminho: PathBuf,
    problema: Problema,
}

impl Erro {
    pub(super) fn novo(caminho: &Path, problema: Problema) -> Self {
        Erro { caminho: caminho.to_owned(), problema }
    }

    /// Outro programa o tem aberto?
    pub fn e_ocupado(&self) -> bool {
        matches!(self.problema, Problema::Ocupado)
    }

    /// O que o SQLite disse deste livro.
    pub(crate) fn do_banco(caminho: &Path, erro: rusqlite::Error) -> Self {
        Erro::novo(caminho, Problema::Banco(erro))
    }
}

/// O que se diz do livro, e o que fazer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problema {
    #[error("não existe; confira o caminho")]
    NaoExiste,
    #[error("não existe; crie-a, ou escolha outra")]
    SemPasta,
    #[error("não é um livro de vendas; escolha outro")]
    NaoELivro,
    #[error("não acabou de ser criado, e não tem vendas; abra o servidor com ele")]
    PelaMetade,
    #[error(
        "está vazio, e há vendas em um -wal ao lado dele; traga de volta o arquivo que falta, ou escolha outro"
    )]
    WalOrfao,
    #[error("{}", falta_wal(.0))]
    FaltaWal(PathBuf),
    #[error(
        "está sendo lido por outro programa há tempo demais, e o -wal dele chegou a {} MiB; feche o outro e abra de \
         novo", TETO_DO_WAL / 1024 / 1024
    )]
    WalNoTeto,
    #[error("não é um arquivo comum, e não guardaria nada; escolha outro")]
    NaoEArquivo,
    #[error("é do formato {0}, e este programa só conhece até o {FORMATO}; use o que o escreveu")]
    MaisNovo(u32),
    #[error(
        "está danificado ({0}); veja-o com 'servidor extrato', e volte a uma cópia de segurança"
    )]
    Danificado(&'static str),
    #[error("está com outro servidor (ou com um extrato em curso); feche-o e abra de novo")]
    Ocupado,
    #[error(
        "está sendo lido por outro programa, e depois de uma queda precisa ser aberto sozinho; feche o outro e abra \
         de novo"
    )]
    Lido,
    #[error("está em um sistema de arquivos que não serve; use um disco local")]
    SemWal,
    #[error(
        "foi mudado por outro programa enquanto se vendia; veja-o com 'servidor extrato' antes de abrir de novo"
    )]
    MudadoPorFora,
    #[error(
        "foi trocado, encurtado ou apagado enquanto se vendia, ele ou o -wal ou o -shm ao lado dele; veja o que há \
         com 'servidor extrato' antes de abrir de novo"
    )]
    Trocado,
    #[error("ficou sem a thread que o passa a limpo; abra o servidor de novo")]
    SemFaxina,
    #[error(
        "começou com {inicial}, e não com {pedido}; abra-o sem --estoque, acrescente com --repor, ou comece outro \
         livro"
    )]
    OutroEstoque { pedido: u64, inicial: u64 },
    #[error("não conta mais de {UNIDADES_MAXIMAS} unidades; peça menos")]
    NaoCabe,
    #[error("{}", explicar_sistema(.0))]
    Sistema(io::Error),
    #[error("{}", explicar_banco(.0))]
    Banco(rusqlite::Error),
}

impl From<io::Error> for Problema {
    fn from(erro: io::Error) -> Self {
        match erro.kind() {
            io::ErrorKind::NotFound => Problema::NaoExiste,
            _ => Problema::Sistema(erro),
        }
    }
}

impl From<rusqlite::Error> for Problema {
    fn from(erro: rusqlite::Error) -> Self {
        match (erro.sqlite_error_code(), File::open("/")) {
            // O SQLite não diz por que não abriu; sem descritores, nem a raiz se abre.
            (Some(ErrorCode::CannotOpen), Err(sistema)) => Problema::Sistema(sistema),
            _ => Problema::Banco(erro),
        }
    }
}

impl fmt::Display for Erro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sujeito = match self.problema {
            Problema::NaoELivro => "o arquivo",
            Problema::SemPasta => "a pasta do livro",
            _ => "o livro",
        };
        write!(f, "{sujeito} {} {}", self.caminho.display(), self.problema)
    }
}

impl std::error::Error for Erro {}

const SEM_ESPACO: &str = "ficou sem espaço no disco; libere espaço e abra de novo";

const NAO_SE_ESCREVE: &str =
    "não se deixa ler ou escrever: o disco falhou, ou há um limite para o tamanho dos arquivos";

fn explicar_sistema(erro: &io::Error) -> String {
    let conselho = match erro.kind() {
        io::ErrorKind::StorageFull => return SEM_ESPACO.into(),
        io::ErrorKind::FileTooLarge => return NAO_SE_ESCREVE.into(),
        io::ErrorKind::PermissionDenied => "; para vender é preciso escrever nele e na pasta dele",
        _ => "",
    };
    format!("não se deixa usar: {}{conselho}", explicar(erro))
}

/// Também é um veredito do extrato.
pub(crate) fn falta_wal(wal: &Path) -> String {
    let nome = Path::new(wal.file_name().unwrap_or_default()).display();
    format!(
        "ficou aberto quando o servidor caiu, e precisa do {nome} de então, inteiro e ao lado dele, que tem as \
         últimas vendas; traga-o de volta (se ele se perdeu de vez, uma cópia com o '.backup' do sqlite3 abre \
         sem elas)"
    )
}

/// O SQLite precisa de dois arquivos ao lado do livro, enquanto se vende.
const SEM_LUGAR_AO_LADO: &str = "está em um diretório que não deixa criar arquivos ao lado dele";

/// Um erro do SQLite em português, em poucas palavras.
fn explicar_banco(erro: &rusqlite::Error) -> &'static str {
    let extenso = erro.sqlite_error().map(|erro| erro.extended_code);
    match erro.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => SEM_LUGAR_AO_LADO,
        Some(_) if extenso == Some(SQLITE_READONLY_DIRECTORY) => SEM_LUGAR_AO_LADO,
        Some(ErrorCode::DiskFull) => SEM_ESPACO,
        Some(ErrorCode::SystemIoFailure) => NAO_SE_ESCREVE,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "está sendo escrito por outro programa; feche-o e abra de novo"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "é só de leitura; mude as permissões dele, ou escolha outro arquivo"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "está danificado; volte a uma cópia de segurança"
        }
        Some(ErrorCode::OutOfMemory) => "não cabe na memória",
        _ => {
            "deu um erro inesperado do SQLite; veja-o com 'servidor extrato' antes de abrir de novo"
        }
    }
}
