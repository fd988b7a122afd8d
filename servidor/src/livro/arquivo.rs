//! O arquivo do livro: como se tranca, se reconhece, se cria, se confere e se abre.
//!
//! Nada é escrito em um arquivo antes de se saber que ele é um livro, inteiro, e o que se pediu: o que
//! for recusado fica como estava. Vender é com `livro.rs`.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use protocolo::ESTOQUE_PADRAO;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::conferencia::{Andamento, Conferencia, conferir, contar};
use super::erro::{Erro, Problema};
use super::formato::{Contas, DO_FORMATO_2, FORMATO, MARCA, TABELAS, agora, ao_lado};
use super::vigia::Marca;
use crate::sistema;

/// Quanto se espera quem, contra o que se pede, esteja escrevendo no arquivo.
const ESPERA_POR_OUTRO_PROGRAMA: Duration = Duration::from_secs(2);

/// De quanto em quanto tempo se vê se um extrato já leu.
const ENTRE_TENTATIVAS: Duration = Duration::from_millis(5);

/// O tamanho a que o WAL volta, depois de ter crescido.
const WAL_EM_DESCANSO: u32 = 4 * 1024 * 1024;

/// Abre o arquivo e a tranca dele, só para segurá-los, e diz o caminho de verdade dele: por um atalho, o SQLite poria os
/// arquivos dele ao lado do original, e nós os procuraríamos ao lado do atalho.
///
/// A tranca é a do sistema, e vale em um disco local.
pub(super) fn trancar(caminho: &Path) -> Result<(File, File, PathBuf), Problema> {
    if !caminho.exists() && tem_bytes(&ao_lado(caminho, "-wal")) {
        return Err(Problema::WalOrfao);
    }
    so_arquivos(caminho)?;
    let mut opcoes = File::options();
    // O que se vendeu não é da conta de outro usuário da máquina, e quem o abrisse poderia segurá-lo.
    sistema::so_do_dono(opcoes.read(true).write(true).create(true).truncate(false));
    let arquivo = opcoes.open(caminho).map_err(|erro| match erro.kind() {
        ErrorKind::NotFound => Problema::SemPasta,
        _ => Problema::Sistema(erro),
    })?;
    let tranca = sistema::tranca(&arquivo, caminho)?;
    segurar(&tranca)?;
    Ok((arquivo, tranca, caminho.canonicalize()?))
}

/// Abrir um cano esperaria por quem está do outro lado, e um dispositivo não guarda nada.
fn so_arquivos(caminho: &Path) -> Result<(), Problema> {
    match caminho.metadata() {
        Ok(dele) if dele.is_dir() => Err(Problema::Sistema(ErrorKind::IsADirectory.into())),
        Ok(dele) if !dele.is_file() => Err(Problema::NaoEArquivo),
        _ => Ok(()),
    }
}

/// Outro servidor é recusado na hora; por um extrato, que lê aos poucos, espera-se um pouco.
fn segurar(arquivo: &File) -> Result<(), Problema> {
    let prazo = Instant::now() + ESPERA_POR_OUTRO_PROGRAMA;
    loop {
        match arquivo.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(erro)) => return Err(erro.into()),
            Err(TryLockError::WouldBlock) => {}
        }
        match arquivo.try_lock_shared() {
            Ok(()) if Instant::now() < prazo => arquivo.unlock()?,
            Err(TryLockError::Error(erro)) => return Err(erro.into()),
            Ok(()) | Err(TryLockError::WouldBlock) => return Err(Problema::Ocupado),
        }
        thread::sleep(ENTRE_TENTATIVAS);
    }
}

/// O arquivo tem a nossa marca? Sem marca nenhuma, só se estiver vazio: ainda pode vir a ser um livro.
/// Lê-se sem o SQLite, que ao abrir já pode escrever.
fn tem_marca(mut arquivo: &File) -> Result<bool, Problema> {
    let mut cabecalho = Vec::new();
    arquivo.by_ref().take(100).read_to_end(&mut cabecalho)?;
    if cabecalho.is_empty() {
        return Ok(false);
    }
    let inteiro = |posicao: usize| {
        let bytes = cabecalho.get(posicao..posicao + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    match (inteiro(68), inteiro(60)) {
        (Some(MARCA), Some(formato)) if cabecalho.starts_with(b"SQLite format 3\0") => {
            if formato > FORMATO { Err(Problema::MaisNovo(formato)) } else { Ok(true) }
        }
        _ => Err(Problema::NaoELivro),
    }
}

/// Com a tranca na mão: cria o livro se não havia um, confere-o e o abre para vender.
pub(super) fn preparar(
    caminho: &Path,
    arquivo: &File,
    estoque: Option<u64>,
    dizer: fn(Andamento),
) -> Result<(Connection, Contas), Problema> {
    let wal = ao_lado(caminho, "-wal");
    let vazio = !tem_marca(arquivo)?;
    if vazio && tem_bytes(&wal) {
        // Criar um livro aqui apagaria as vendas que estão ali, talvez de um servidor que ainda vende.
        return Err(Problema::WalOrfao);
    }
    if let Some(wal) = wal_que_falta(arquivo, caminho)? {
        return Err(Problema::FaltaWal(wal));
    }
    // Um `-journal` só existe se a criação parou no meio; abrir para escrever a desfaz.
    if vazio || tem_bytes(&ao_lado(caminho, "-journal")) {
        criar(caminho, estoque.unwrap_or(ESTOQUE_PADRAO))?;
    }
    // Primeiro só se lê: o que for recusado fica como estava.
    let mut lido = abrir_parado(caminho)?;
    let Conferencia { contas, dano } = conferir(&mut lido, dizer)?;
    drop(lido);
    if let Some(dano) = dano {
        return Err(Problema::Danificado(dano));
    }
    // O WAL é o dele, e mesmo assim há menos do que havia: foi encurtado.
    if Marca::ler(arquivo)?.is_some_and(|marca| contas.vendidas < marca.vendidas) {
        return Err(Problema::FaltaWal(wal));
    }
    if let Some(pedido) = estoque.filter(|pedido| *pedido != contas.inicial) {
        return Err(Problema::OutroEstoque { pedido, inicial: contas.inicial });
    }
    let houve_queda = tem_bytes(&wal);
    abrir_para_vender(caminho, houve_queda)
}

/// A conexão que vende, e o que ela vê. Antes de voltar ela já escreveu uma vez, sem mudar nada (ou só o formato, se
/// o livro é de um mais velho): quem não pode escrever sabe agora, e não na primeira venda.
fn abrir_para_vender(caminho: &Path, houve_queda: bool) -> Result<(Connection, Contas), Problema> {
    let mut banco = abrir_para_escrever(caminho)?;
    let modo: String =
        banco.pragma_update_and_check(None, "journal_mode", "wal", |linha| linha.get(0))?;
    if modo != "wal" {
        return Err(Problema::SemWal);
    }
    banco.pragma_update(None, "synchronous", "full")?;
    // No macOS o fsync comum não espera o disco (fsync(2)); nos outros sistemas isto não muda nada.
    banco.pragma_update(None, "fullfsync", true)?;
    banco.pragma_update(None, "checkpoint_fullfsync", true)?;
    banco.pragma_update(None, "journal_size_limit", WAL_EM_DESCANSO)?;
    if houve_queda {
        // Uma queda pode ter sido a do disco, e então o WAL que se lê pode não ser o que está nele: as
        // vendas passam para o arquivo, e ficam firmes, antes que alguém as ouça.
        let ocupado: i64 =
            banco.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |linha| linha.get(0))?;
        if ocupado != 0 {
            return Err(Problema::Lido);
        }
    }
    let ensaio = banco.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let contas = contar(&ensaio)?;
    if ensaio.pragma_query_value(None, "user_version", |linha| linha.get::<_, u32>(0))? < FORMATO {
        ensaio.execute_batch(DO_FORMATO_2)?;
    }
    ensaio.pragma_update(None, "user_version", FORMATO)?;
    ensaio.commit()?;
    Ok((banco, contas))
}

/// Quem passa o WAL para o arquivo é a [`faxina`](super::faxina), e não o SQLite no meio de uma transação.
pub(super) fn abrir_para_escrever(caminho: &Path) -> rusqlite::Result<Connection> {
    let banco = Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    banco.busy_timeout(ESPERA_POR_OUTRO_PROGRAMA)?;
    banco.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(banco)
}

/// Uma transação só, com a marca dentro: um livro criado pela metade não existe.
fn criar(caminho: &Path, estoque: u64) -> Result<(), Problema> {
    let mut banco = abrir_para_escrever(caminho)?;
    let transacao = banco.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if transacao.prepare("SELECT 1 FROM sqlite_schema")?.exists([])? {
        return Ok(());
    }
    transacao.pragma_update(None, "application_id", MARCA)?;
    transacao.pragma_update(None, "user_version", FORMATO)?;
    transacao.execute_batch(TABELAS)?;
    transacao.execute_batch(DO_FORMATO_2)?;
    transacao.execute(
        "INSERT INTO estoque VALUES (1, ?1, 'inicial', ?2, 0)",
        params![agora(), estoque as i64],
    )?;
    Ok(transacao.commit()?)
}

/// Um livro aberto só para ler. Enquanto existe, um livro que estava parado continua parado.
pub(crate) struct Leitura {
    pub(crate) banco: Connection,
    /// O WAL de que o arquivo foi separado: o que se lê não é tudo.
    pub(crate) falta: Option<PathBuf>,
    /// Depois de `banco`, como em [`Livro`].
    _tranca: (File, File),
}

impl Leitura {
    /// Abre um livro para ler, haja ou não um servidor com ele. O arquivo não é tocado.
    ///
    /// # Errors
    ///
    /// O livro não existe, não é um livro, ou é de um formato mais novo.
    pub(crate) fn abrir(caminho: &Path) -> Result<Self, Erro> {
        let abrir = || {
            so_arquivos(caminho)?;
            let arquivo = File::open(caminho)?;
            let caminho = &caminho.canonicalize()?;
            if tem_bytes(&ao_lado(caminho, "-journal")) {
                return Err(Problema::PelaMetade);
            }
            if !tem_marca(&arquivo)? {
                return Err(Problema::NaoELivro);
            }
            // Sem servidor, não deve passar a haver um enquanto se lê; com um, não se espera por ele, e é
            // ele quem sabe do WAL.
            let tranca = sistema::tranca(&arquivo, caminho)?;
            let (banco, falta) = match tranca.try_lock_shared() {
                Ok(()) => (abrir_parado(caminho)?, wal_que_falta(&arquivo, caminho)?),
                Err(_) => {
                    (Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_ONLY)?, None)
                }
            };
            Ok(Leitura { banco, falta, _tranca: (arquivo, tranca) })
        };
        abrir().map_err(|problema| Erro::novo(caminho, problema))
    }
}

/// O nome do WAL, se o arquivo diz que é preciso um, e o que está ao lado dele não é esse.
fn wal_que_falta(arquivo: &File, caminho: &Path) -> Result<Option<PathBuf>, Problema> {
    let wal = ao_lado(caminho, "-wal");
    Ok(Marca::ler(arquivo)?.filter(|marca| !marca.e_de(&wal)).map(|_| wal))
}

/// Abre para ler um livro que ninguém está escrevendo. Se o último que escreveu terminou em ordem, tudo
/// está no próprio arquivo, e diz-se ao SQLite que ele não vai mudar: assim não cria outros ao lado, que
/// ficariam com dono errado, nem precisa poder criá-los. Depois de uma queda há um `-wal`, e ele é lido.
fn abrir_parado(caminho: &Path) -> rusqlite::Result<Connection> {
    if tem_bytes(&ao_lado(caminho, "-wal")) {
        return Connection::open_with_flags(caminho, OpenFlags::SQLITE_OPEN_READ_ONLY);
    }
    let escapado = sistema::em_uri(caminho);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{escapado}?immutable=1"), flags)
}

pub(super) fn tem_bytes(arquivo: &Path) -> bool {
    arquivo.metadata().is_ok_and(|arquivo| arquivo.len() > 0)
}
