//! O arquivo do livro: como se tranca, se reconhece, se cria, se confere e se abre.
//!
//! Nada é escrito em um arquivo antes de se saber que ele é um livro, inteiro, e o que se pediu: o que
//! for recusado fica como estava. Vender é com `livro.rs`.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocolo::ESTOQUE_PADRAO;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::erro::{Erro, Problema};
use super::{Contas, UNIDADES_MAXIMAS, agora};

/// Marca o arquivo como nosso, no cabeçalho: "LIVR" (`application_id` em fileformat2.html, do SQLite).
const MARCA: u32 = u32::from_be_bytes(*b"LIVR");

/// A versão das tabelas (`user_version`, idem). Um programa não mexe em um livro de versão maior.
pub(super) const FORMATO: u32 = 1;

/// Quanto se espera quem, contra o que se pede, esteja escrevendo no arquivo.
const ESPERA_POR_OUTRO_PROGRAMA: Duration = Duration::from_secs(2);

const TABELAS: &str = "
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

/// O que nunca vale em um livro são: cada consulta dá alguma linha se isto aconteceu. `IS NOT`, e não
/// `<>`, para que também um NULL conte como diferença.
const CONFERENCIAS: [(&str, &str); 4] = [
    (
        "não diz com quanto começou",
        "SELECT 1 WHERE (SELECT count(*) FROM estoque WHERE tipo = 'inicial') <> 1",
    ),
    (
        "faltam vendas no meio",
        "SELECT 1 WHERE (SELECT count(*) FROM vendas) <> (SELECT max(numero) FROM vendas)",
    ),
    (
        "há uma reposição de depois da última venda",
        "SELECT 1 FROM estoque WHERE depois_da_venda > (SELECT count(*) FROM vendas)",
    ),
    (
        "há uma venda cujo restante não é o que devia ser",
        "SELECT 1 FROM vendas WHERE restante IS NOT
         (SELECT sum(unidades) FROM estoque WHERE depois_da_venda < vendas.numero) - numero",
    ),
];

/// Abre o arquivo só para segurá-lo: é a tranca, do sistema, que dois servidores não dividem.
pub(super) fn trancar(caminho: &Path) -> Result<File, Problema> {
    let arquivo =
        File::options().read(true).write(true).create(true).truncate(false).open(caminho)?;
    match arquivo.try_lock() {
        Ok(()) => Ok(arquivo),
        Err(TryLockError::WouldBlock) => Err(Problema::Ocupado),
        Err(TryLockError::Error(erro)) => Err(erro.into()),
    }
}

/// O que se sabe de um arquivo sem pedir nada ao SQLite, que ao abrir já pode escrever.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cabecalho {
    /// Não há nada nele: ainda pode vir a ser um livro.
    Vazio,
    /// Tem a nossa marca.
    Livro,
}

fn ler_cabecalho(mut arquivo: &File) -> Result<Cabecalho, Problema> {
    let mut cabecalho = Vec::new();
    arquivo.by_ref().take(100).read_to_end(&mut cabecalho)?;
    let inteiro = |posicao: usize| {
        let bytes = cabecalho.get(posicao..posicao + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    match (inteiro(68), inteiro(60)) {
        _ if cabecalho.is_empty() => Ok(Cabecalho::Vazio),
        (Some(MARCA), Some(formato)) if cabecalho.starts_with(b"SQLite format 3\0") => {
            if formato > FORMATO { Err(Problema::MaisNovo(formato)) } else { Ok(Cabecalho::Livro) }
        }
        _ => Err(Problema::NaoELivro),
    }
}

/// Com a tranca na mão: cria o livro se não havia um, confere-o e o abre para vender.
pub(super) fn preparar(
    caminho: &Path,
    tranca: &File,
    estoque: Option<u64>,
) -> Result<(Connection, Contas), Problema> {
    // Um `-journal` só existe se a criação parou no meio; abrir para escrever a desfaz.
    if ler_cabecalho(tranca)? == Cabecalho::Vazio || ao_lado(caminho, "-journal").exists() {
        criar(caminho, estoque.unwrap_or(ESTOQUE_PADRAO))?;
    }
    // Primeiro só se lê: o que for recusado fica como estava.
    let lido = abrir_parado(caminho)?;
    if let Some(dano) = procurar_dano(&lido)? {
        return Err(Problema::Danificado(dano));
    }
    let contas = contar(&lido)?;
    drop(lido);
    if let Some(pedido) = estoque.filter(|pedido| *pedido != contas.inicial) {
        return Err(Problema::OutroEstoque { pedido, inicial: contas.inicial });
    }
    let banco = abrir_para_escrever(caminho)?;
    banco.pragma_update(None, "journal_mode", "wal")?;
    banco.pragma_update(None, "synchronous", "full")?;
    // Um ensaio, que não muda nada: se não se pode escrever, é agora que se sabe, e não na primeira venda.
    banco.pragma_update(None, "user_version", FORMATO)?;
    Ok((banco, contas))
}

fn abrir_para_escrever(caminho: &Path) -> rusqlite::Result<Connection> {
    let banco = Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    banco.busy_timeout(ESPERA_POR_OUTRO_PROGRAMA)?;
    Ok(banco)
}

/// Uma transação só, com a marca dentro: um livro criado pela metade não existe.
fn criar(caminho: &Path, estoque: u64) -> Result<(), Problema> {
    if estoque > UNIDADES_MAXIMAS {
        return Err(Problema::NaoCabe);
    }
    let mut banco = abrir_para_escrever(caminho)?;
    if banco.prepare("SELECT 1 FROM sqlite_schema")?.exists([])? {
        return Ok(());
    }
    let transacao = banco.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transacao.pragma_update(None, "application_id", MARCA)?;
    transacao.pragma_update(None, "user_version", FORMATO)?;
    transacao.execute_batch(TABELAS)?;
    transacao.execute(
        "INSERT INTO estoque VALUES (1, ?1, 'inicial', ?2, 0)",
        params![agora(), estoque as i64],
    )?;
    Ok(transacao.commit()?)
}

/// Um livro aberto só para ler. Enquanto existe, um livro que estava parado continua parado.
pub(crate) struct Leitura {
    pub(crate) banco: Connection,
    /// Depois de `banco`, como em [`Livro`].
    _tranca: File,
}

impl Leitura {
    /// Abre um livro para ler, haja ou não um servidor com ele. O arquivo não é tocado.
    ///
    /// # Errors
    ///
    /// O livro não existe, não é um livro, ou é de um formato mais novo.
    pub(crate) fn abrir(caminho: &Path) -> Result<Self, Erro> {
        let abrir = || {
            let arquivo = File::open(caminho)?;
            if ler_cabecalho(&arquivo)? == Cabecalho::Vazio {
                return Err(Problema::NaoELivro);
            }
            // Sem servidor, não deve passar a haver um enquanto se lê; com um, não se espera por ele.
            let banco = match arquivo.try_lock_shared() {
                Ok(()) => abrir_parado(caminho)?,
                Err(_) => Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            Ok(Leitura { banco, _tranca: arquivo })
        };
        abrir().map_err(|problema| Erro::novo(caminho, problema))
    }
}

/// Abre para ler um livro que ninguém está escrevendo. Se o último que escreveu terminou em ordem, tudo
/// está no próprio arquivo, e diz-se ao SQLite que ele não vai mudar: assim não cria outros ao lado, que
/// ficariam com dono errado, nem precisa poder criá-los. Depois de uma queda há um `-wal`, e ele é lido.
fn abrir_parado(caminho: &Path) -> rusqlite::Result<Connection> {
    let tudo_no_arquivo = ao_lado(caminho, "-wal").metadata().map_or(0, |wal| wal.len()) == 0;
    if !tudo_no_arquivo {
        return Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    let bytes = caminho.as_os_str().as_bytes().iter();
    let escapado: String = bytes.map(|byte| format!("%{byte:02x}")).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escapado}?immutable=1"), flags)
}

/// O nome de um arquivo que o SQLite põe ao lado do livro.
fn ao_lado(caminho: &Path, sufixo: &str) -> PathBuf {
    let mut nome = caminho.as_os_str().to_owned();
    nome.push(sufixo);
    nome.into()
}

/// Confere o arquivo, página por página e venda por venda; `None` se está tudo certo.
pub(crate) fn procurar_dano(banco: &Connection) -> rusqlite::Result<Option<String>> {
    let paginas: String = banco.query_row("PRAGMA quick_check(1)", [], |linha| linha.get(0))?;
    if paginas != "ok" {
        return Ok(Some("há páginas estragadas".into()));
    }
    for (dano, consulta) in CONFERENCIAS {
        if banco.prepare(consulta)?.exists([])? {
            return Ok(Some(dano.into()));
        }
    }
    Ok(None)
}

/// O que o livro diz do estoque.
pub(crate) fn contar(banco: &Connection) -> rusqlite::Result<Contas> {
    let numero = |consulta: &str| -> rusqlite::Result<u64> {
        let numero: i64 = banco.query_row(consulta, [], |linha| linha.get(0))?;
        // O que é negativo não passa pela conferência.
        Ok(u64::try_from(numero).unwrap_or_default())
    };
    Ok(Contas {
        inicial: numero("SELECT coalesce(sum(unidades), 0) FROM estoque WHERE tipo = 'inicial'")?,
        repostas: numero(
            "SELECT coalesce(sum(unidades), 0) FROM estoque WHERE tipo = 'reposicao'",
        )?,
        vendidas: numero("SELECT count(*) FROM vendas")?,
    })
}
