//! O livro: as vendas em um arquivo SQLite, firmes antes de serem anunciadas (`--livro`).
//!
//! O turno decide, o livro firma, e só então o turno responde. Todas as vendas de um turno são uma
//! transação: um só `fdatasync` para todas, e nenhum byte que dependa delas sai antes dele. Quem ouviu
//! "Compra realizada" está no arquivo, haja o que houver com o processo ou com a máquina.
//!
//! ```text
//!   vendas    numero, instante, endereco, restante                  uma linha por venda
//!   estoque   numero, instante, tipo, unidades, depois_da_venda     o inicial e cada reposição
//! ```
//!
//! O arquivo se confere sozinho: as vendas se numeram de um em um, e o "restante" de cada uma é o que
//! tinha entrado no estoque até ali, menos o número dela.
//!
//! Aqui não há segunda tentativa. Depois de um `fdatasync` que falhou não se sabe o que ficou no
//! disco (fsync(2)), e quem insiste acaba confirmando o que não está lá: o programa termina, e a
//! próxima abertura lê a verdade. Também não há thread: o laço espera o disco, uma vez por turno.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use protocolo::ESTOQUE_PADRAO;
use protocolo::terminal::explicar;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use crate::balcao::Venda;

/// Marca o arquivo como nosso, no cabeçalho: "LIVR" (`application_id` em fileformat2.html, do SQLite).
const MARCA: u32 = u32::from_be_bytes(*b"LIVR");

/// A versão das tabelas (`user_version`, idem). Um programa não mexe em um livro de versão maior.
const FORMATO: u32 = 1;

/// Os inteiros do SQLite têm sinal: é o máximo de unidades que um livro conta.
const UNIDADES_MAXIMAS: u64 = i64::MAX as u64;

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

/// Um livro aberto para vender. Enquanto existe, nenhum outro servidor abre o mesmo arquivo.
#[derive(Debug)]
pub struct Livro {
    banco: Connection,
    caminho: PathBuf,
    contas: Contas,
    /// Depois de `banco`, para fechar depois dele: fechar um descritor de um arquivo solta as travas
    /// que o SQLite ainda teria nesse arquivo (fcntl(2)).
    _tranca: File,
}

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

impl Livro {
    /// Abre o livro, ou o cria com `estoque` unidades ([`ESTOQUE_PADRAO`] se ninguém disse).
    ///
    /// # Errors
    ///
    /// Não é um livro, é de um formato mais novo, está danificado, não se pode escrever nele, outro
    /// servidor o tem aberto, ou foi criado com outro `estoque`. O arquivo fica como estava.
    pub fn abrir(caminho: &Path, estoque: Option<u64>) -> Result<Self, Erro> {
        let com_o_caminho = |problema| Erro { caminho: caminho.to_owned(), problema };
        let tranca = trancar(caminho).map_err(com_o_caminho)?;
        let (banco, contas) = preparar(caminho, estoque).map_err(com_o_caminho)?;
        Ok(Livro { banco, caminho: caminho.to_owned(), contas, _tranca: tranca })
    }

    /// Acrescenta `unidades` ao estoque de um livro que já existe, e diz como ele ficou.
    ///
    /// # Errors
    ///
    /// Os de [`Livro::abrir`]; o livro não existe; ou a soma não cabe em um inteiro do SQLite.
    pub fn repor(caminho: &Path, unidades: u64) -> Result<Contas, Erro> {
        let com_o_caminho = |problema| Erro { caminho: caminho.to_owned(), problema };
        if !caminho.exists() {
            return Err(com_o_caminho(Problema::NaoExiste));
        }
        let mut livro = Livro::abrir(caminho, None)?;
        livro.entrar_no_estoque(unidades).map_err(com_o_caminho)?;
        Ok(livro.contas)
    }

    fn entrar_no_estoque(&mut self, unidades: u64) -> Result<(), Problema> {
        let total = self.contas.entradas().checked_add(unidades);
        if total.is_none_or(|total| total > UNIDADES_MAXIMAS) {
            return Err(Problema::NaoCabe);
        }
        self.banco.execute(
            "INSERT INTO estoque (instante, tipo, unidades, depois_da_venda)
             VALUES (?1, 'reposicao', ?2, ?3)",
            params![agora(), unidades as i64, self.contas.vendidas as i64],
        )?;
        self.contas.repostas += unidades;
        Ok(())
    }

    /// Firma as vendas de um turno, em uma transação só. Quando volta, elas estão no disco.
    ///
    /// # Errors
    ///
    /// O disco encheu ou falhou, ou outro programa mexeu no arquivo. Não se sabe se as vendas ficaram
    /// ou não; nenhuma pode ser anunciada, e nada mais se vende com este livro aberto.
    pub fn firmar(&mut self, vendas: &[Venda]) -> Result<(), Erro> {
        self.gravar(vendas).map_err(|erro| Erro::do_banco(&self.caminho, erro))
    }

    fn gravar(&mut self, vendas: &[Venda]) -> rusqlite::Result<()> {
        let instante = agora();
        let transacao = self.banco.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut linha =
                transacao.prepare_cached("INSERT INTO vendas VALUES (?1, ?2, ?3, ?4)")?;
            for venda in vendas {
                self.contas.vendidas += 1;
                let (numero, restante) = (self.contas.vendidas as i64, venda.restante as i64);
                linha.execute(params![numero, instante, venda.endereco.to_string(), restante])?;
            }
        }
        transacao.commit()
    }

    /// O que o livro diz do estoque, com as vendas já firmadas.
    pub fn contas(&self) -> Contas {
        self.contas
    }
}

/// Abre o arquivo só para segurá-lo: é a tranca, do sistema, que dois servidores não dividem. Quem só
/// lê não a pede, e por isso o `sqlite3` e o extrato funcionam com o servidor aberto.
fn trancar(caminho: &Path) -> Result<File, Problema> {
    let arquivo =
        File::options().read(true).write(true).create(true).truncate(false).open(caminho)?;
    match arquivo.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Problema::Ocupado),
        Err(TryLockError::Error(erro)) => return Err(erro.into()),
    }
    conferir_cabecalho(&arquivo)?;
    Ok(arquivo)
}

/// Lê o cabeçalho sem o SQLite, que em um arquivo alheio já poderia escrever (por exemplo, desfazendo
/// uma transação interrompida). Um arquivo vazio ainda não é nada, e pode vir a ser um livro.
fn conferir_cabecalho(mut arquivo: &File) -> Result<(), Problema> {
    let mut cabecalho = Vec::new();
    arquivo.by_ref().take(100).read_to_end(&mut cabecalho)?;
    let inteiro = |posicao: usize| {
        let bytes = cabecalho.get(posicao..posicao + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    match (inteiro(68), inteiro(60)) {
        _ if cabecalho.is_empty() => Ok(()),
        (Some(MARCA), Some(formato)) if cabecalho.starts_with(b"SQLite format 3\0") => {
            if formato > FORMATO { Err(Problema::MaisNovo(formato)) } else { Ok(()) }
        }
        _ => Err(Problema::NaoELivro),
    }
}

fn preparar(caminho: &Path, estoque: Option<u64>) -> Result<(Connection, Contas), Problema> {
    let mut banco = Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Até se saber que é tudo o que devia ser, fechar não escreve no arquivo.
    banco.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    banco.busy_timeout(ESPERA_POR_OUTRO_PROGRAMA)?;
    if !banco.prepare("SELECT 1 FROM sqlite_schema")?.exists([])? {
        criar(&mut banco, estoque.unwrap_or(ESTOQUE_PADRAO))?;
    }
    if let Some(dano) = procurar_dano(&banco)? {
        return Err(Problema::Danificado(dano));
    }
    let contas = contar(&banco)?;
    if let Some(pedido) = estoque.filter(|pedido| *pedido != contas.inicial) {
        return Err(Problema::OutroEstoque { pedido, inicial: contas.inicial });
    }
    banco.pragma_update(None, "journal_mode", "wal")?;
    banco.pragma_update(None, "synchronous", "full")?;
    banco.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok((banco, contas))
}

/// Uma transação só, com a marca dentro: um livro criado pela metade não existe.
fn criar(banco: &mut Connection, estoque: u64) -> Result<(), Problema> {
    if estoque > UNIDADES_MAXIMAS {
        return Err(Problema::NaoCabe);
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

/// Abre um livro só para ler, haja ou não um servidor com ele. O arquivo não é tocado.
///
/// # Errors
///
/// O livro não existe, não é um livro, ou é de um formato mais novo.
pub(crate) fn abrir_para_ler(caminho: &Path) -> Result<Connection, Erro> {
    let abrir = || {
        conferir_cabecalho(&File::open(caminho)?)?;
        Ok(Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    };
    abrir().map_err(|problema| Erro { caminho: caminho.to_owned(), problema })
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

fn agora() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// Por que o livro não serve, ou deixou de servir. `Display` dá uma linha, que diz o que fazer.
#[derive(Debug)]
pub struct Erro {
    caminho: PathBuf,
    problema: Problema,
}

impl Erro {
    /// O que o SQLite disse deste livro.
    pub(crate) fn do_banco(caminho: &Path, erro: rusqlite::Error) -> Self {
        Erro { caminho: caminho.to_owned(), problema: Problema::Banco(erro) }
    }
}

#[derive(Debug)]
enum Problema {
    NaoExiste,
    NaoELivro,
    MaisNovo(u32),
    Danificado(String),
    Ocupado,
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
            Problema::NaoELivro => {
                write!(f, "{nome} não é um livro de vendas; escolha outro arquivo")
            }
            Problema::MaisNovo(formato) => write!(
                f,
                "o livro {nome} é do formato {formato}, e este programa só conhece até o {FORMATO}; \
                 use o servidor que o escreveu"
            ),
            Problema::Danificado(dano) => {
                write!(f, "o livro {nome} está danificado ({dano}); volte a uma cópia de segurança")
            }
            Problema::Ocupado => {
                write!(
                    f,
                    "outro servidor está com o livro {nome}; feche-o ou escolha outro arquivo"
                )
            }
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
            Problema::Sistema(erro) => {
                write!(f, "não posso abrir o livro {nome}: {}", explicar(erro))
            }
            Problema::Banco(erro) => write!(f, "o livro {nome} {}", explicar_banco(erro)),
        }
    }
}

/// Um erro do SQLite em português, em poucas palavras.
fn explicar_banco(erro: &rusqlite::Error) -> &'static str {
    match erro.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "ficou sem espaço no disco; libere-o e abra de novo",
        Some(ErrorCode::SystemIoFailure) => "não se deixa ler ou escrever: o disco falhou",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "está sendo escrito por outro programa; feche-o e abra de novo"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "é só de leitura",
        Some(ErrorCode::CannotOpen) => {
            "está em um diretório que não deixa criar arquivos ao lado dele"
        }
        Some(ErrorCode::ConstraintViolation) => "foi mudado por outro programa; ele já não serve",
        Some(ErrorCode::OutOfMemory) => "não cabe na memória",
        // As tabelas não são as nossas, ou as páginas não são tabelas.
        _ => "está danificado; volte a uma cópia de segurança",
    }
}
