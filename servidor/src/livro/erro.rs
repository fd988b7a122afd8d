//! Por que um livro não serve, em uma linha que diz o que fazer.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DIRECTORY;

use super::UNIDADES_MAXIMAS;
use super::arquivo::FORMATO;

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
    MaisNovo(u32),
    Danificado(&'static str),
    Ocupado,
    Lido,
    SemWal,
    MudadoPorFora,
    OutroEstoque { pedido: u64, inicial: u64 },
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
        Problema::Banco(erro)
    }
}

impl fmt::Display for Erro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nome = self.caminho.display();
        match &self.problema {
            Problema::NaoExiste => write!(f, "o livro {nome} não existe; confira o caminho"),
            Problema::SemPasta => {
                write!(f, "a pasta do livro {nome} não existe; crie-a, ou escolha outra")
            }
            Problema::PelaMetade => write!(
                f,
                "o livro {nome} não acabou de ser criado, e não tem vendas; abra o servidor com ele"
            ),
            Problema::WalOrfao => write!(
                f,
                "o livro {nome} está vazio, e há vendas em {nome}-wal; traga de volta o arquivo que \
                 falta, ou escolha outro"
            ),
            Problema::Lido => write!(
                f,
                "o livro {nome} está sendo lido por outro programa, e depois de uma queda precisa ser \
                 aberto sozinho; feche o outro e abra de novo"
            ),
            Problema::SemWal => {
                write!(
                    f,
                    "o livro {nome} está em um sistema de arquivos que não serve; use um disco local"
                )
            }
            Problema::MudadoPorFora => write!(
                f,
                "o livro {nome} foi mudado por outro programa enquanto se vendia; veja-o com 'servidor \
                 extrato' antes de abrir de novo"
            ),
            Problema::NaoELivro => {
                write!(f, "{nome} não é um livro de vendas; escolha outro arquivo")
            }
            Problema::MaisNovo(formato) => write!(
                f,
                "o livro {nome} é do formato {formato}, e este programa só conhece até o {FORMATO}; \
                 use o servidor que o escreveu"
            ),
            Problema::Danificado(dano) => {
                write!(
                    f,
                    "o livro {nome} está danificado ({dano}); veja-o com 'servidor extrato', e volte a \
                     uma cópia de segurança"
                )
            }
            Problema::Ocupado => write!(
                f,
                "outro servidor (ou um extrato em curso) está com o livro {nome}; feche-o e abra de novo"
            ),
            Problema::OutroEstoque { pedido, inicial } => write!(
                f,
                "o livro {nome} começou com {inicial}, e não com {pedido}; abra-o sem --estoque, \
                 acrescente com --repor, ou comece outro livro"
            ),
            Problema::NaoCabe => {
                write!(
                    f,
                    "o livro {nome} não conta mais de {UNIDADES_MAXIMAS} unidades; peça menos"
                )
            }
            Problema::Sistema(erro) if erro.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "não posso abrir o livro {nome}: sem permissão; para vender é preciso poder escrever nele \
                 e na pasta dele"
            ),
            Problema::Sistema(erro) => {
                write!(f, "não posso abrir o livro {nome}: {}", explicar(erro))
            }
            Problema::Banco(erro) => write!(f, "o livro {nome} {}", explicar_banco(erro)),
        }
    }
}

/// O SQLite precisa de dois arquivos ao lado do livro, enquanto se vende.
const SEM_LUGAR_AO_LADO: &str = "está em um diretório que não deixa criar arquivos ao lado dele";

/// Um erro do SQLite em português, em poucas palavras.
fn explicar_banco(erro: &rusqlite::Error) -> &'static str {
    let extenso = erro.sqlite_error().map(|erro| erro.extended_code);
    match erro.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => SEM_LUGAR_AO_LADO,
        Some(_) if extenso == Some(SQLITE_READONLY_DIRECTORY) => SEM_LUGAR_AO_LADO,
        Some(ErrorCode::DiskFull) => "ficou sem espaço no disco; libere espaço e abra de novo",
        Some(ErrorCode::SystemIoFailure) => {
            "não se deixa ler ou escrever: o disco falhou, ou há um limite para o tamanho dos arquivos"
        }
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
