//! Por que um livro não serve, em uma linha que diz o que fazer.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DIRECTORY;

use super::UNIDADES_MAXIMAS;
use super::arquivo::FORMATO;
use super::faxina::TETO_DO_WAL;

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

    /// O que o SQLite disse deste livro.
    pub(crate) fn do_banco(caminho: &Path, erro: rusqlite::Error) -> Self {
        Erro::novo(caminho, Problema::Banco(erro))
    }
}

#[derive(Debug)]
pub(super) enum Problema {
    NaoExiste,
    SemPasta,
    NaoELivro,
    PelaMetade,
    WalOrfao,
    /// O nome dele.
    FaltaWal(PathBuf),
    WalNoTeto,
    NaoEArquivo,
    MaisNovo(u32),
    Danificado(&'static str),
    Ocupado,
    Lido,
    SemWal,
    MudadoPorFora,
    Trocado,
    SemFaxina,
    OutroEstoque {
        pedido: u64,
        inicial: u64,
    },
    NaoCabe,
    Sistema(io::Error),
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
        write!(f, "{sujeito} {} {}", self.caminho.display(), self.problema.predicado())
    }
}

impl Problema {
    /// O que se diz do livro, e o que fazer.
    fn predicado(&self) -> Cow<'static, str> {
        match self {
            Problema::NaoExiste => "não existe; confira o caminho".into(),
            Problema::SemPasta => "não existe; crie-a, ou escolha outra".into(),
            Problema::NaoELivro => "não é um livro de vendas; escolha outro".into(),
            Problema::NaoEArquivo => {
                "não é um arquivo comum, e não guardaria nada; escolha outro".into()
            }
            Problema::PelaMetade => {
                "não acabou de ser criado, e não tem vendas; abra o servidor com ele".into()
            }
            Problema::WalOrfao => "está vazio, e há vendas em um -wal ao lado dele; traga de volta o \
                                   arquivo que falta, ou escolha outro"
                .into(),
            Problema::FaltaWal(wal) => falta_wal(wal).into(),
            Problema::WalNoTeto => format!(
                "está sendo lido por outro programa há tempo demais, e o -wal dele chegou a {} MiB; feche \
                 o outro e abra de novo",
                TETO_DO_WAL / 1024 / 1024
            )
            .into(),
            Problema::Ocupado => {
                "está com outro servidor (ou com um extrato em curso); feche-o e abra de novo".into()
            }
            Problema::Lido => "está sendo lido por outro programa, e depois de uma queda precisa ser \
                               aberto sozinho; feche o outro e abra de novo"
                .into(),
            Problema::SemWal => {
                "está em um sistema de arquivos que não serve; use um disco local".into()
            }
            Problema::MudadoPorFora => "foi mudado por outro programa enquanto se vendia; veja-o com \
                                        'servidor extrato' antes de abrir de novo"
                .into(),
            Problema::Trocado => "foi trocado, encurtado ou apagado enquanto se vendia, ele ou o -wal ou o \
                                  -shm ao lado dele; veja o que há com 'servidor extrato' antes de abrir de \
                                  novo"
                .into(),
            Problema::SemFaxina => {
                "ficou sem a thread que o passa a limpo; abra o servidor de novo".into()
            }
            Problema::MaisNovo(formato) => format!(
                "é do formato {formato}, e este programa só conhece até o {FORMATO}; use o que o escreveu"
            )
            .into(),
            Problema::Danificado(dano) => format!(
                "está danificado ({dano}); veja-o com 'servidor extrato', e volte a uma cópia de segurança"
            )
            .into(),
            Problema::OutroEstoque { pedido, inicial } => format!(
                "começou com {inicial}, e não com {pedido}; abra-o sem --estoque, acrescente com \
                 --repor, ou comece outro livro"
            )
            .into(),
            Problema::NaoCabe => {
                format!("não conta mais de {UNIDADES_MAXIMAS} unidades; peça menos").into()
            }
            Problema::Sistema(erro) => explicar_sistema(erro).into(),
            Problema::Banco(erro) => explicar_banco(erro).into(),
        }
    }
}

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
