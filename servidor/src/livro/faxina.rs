//! A faxina: passa o WAL para o arquivo do livro, sem parar o laço.
//!
//! Por conta própria, o SQLite o faria dentro da transação de alguém, e demoraria o que demorasse. Aqui
//! quase tudo é de uma thread só para isso, com a conexão dela, enquanto o laço vende. O que se vendeu
//! entretanto é pouco, e quem o passa é o laço, entre dois turnos: só então o WAL recomeça.
//!
//! Enquanto a thread trabalha, a *guarda* é uma leitura parada em um instante anterior à última transação:
//! não deixa que se passe tudo, e por isso a marca do livro ([`vigia`](super::vigia)) não some ao mesmo
//! tempo que o laço firma outra venda. Ela vai e volta com a tarefa.
//!
//! Um leitor parado prende o WAL, que cresce. A thread o diz; no teto, o livro para de vender.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread::JoinHandle;

use protocolo::terminal::{abrir_thread, dizer};
use rusqlite::{Connection, InterruptHandle};

use super::arquivo::abrir_para_escrever;
use super::erro::Problema;
use super::formato::TETO_DO_WAL;
use super::vigia::Indice;

/// De quantos em quantos quadros (de 4 KiB) se faz uma faxina.
const QUADROS_POR_FAXINA: u32 = 1000;

/// O que o laço pode passar sozinho, entre dois turnos.
const QUADROS_NO_LACO: u32 = 500;

/// A partir daqui, e a cada vez que dobra, se diz que o WAL cresce.
const AVISO_DO_WAL: u64 = 64 * 1024 * 1024;

/// Quem limpa, e em que pé está.
pub(super) struct Faxina {
    /// A guarda, se está em casa: não há faxina em curso.
    guarda: Option<Connection>,
    ida: Option<SyncSender<Connection>>,
    volta: Receiver<Result<Connection, Problema>>,
    thread: Option<JoinHandle<()>>,
    interromper: InterruptHandle,
    /// Com tantos quadros no WAL, outra faxina.
    proxima: u32,
    /// A thread fez a parte dela, e falta a do laço.
    falta_a_do_laco: bool,
}

impl Faxina {
    /// Prepara a faxina do livro, com as conexões dela.
    pub(super) fn nova(caminho: &Path, arquivo: Arc<File>) -> Result<Self, Problema> {
        let (guarda, banco) = (abrir_para_escrever(caminho)?, abrir_para_escrever(caminho)?);
        let interromper = banco.get_interrupt_handle();
        let (ida, tarefas) = mpsc::sync_channel(1);
        let (prontas, volta) = mpsc::sync_channel(1);
        let varrer = move || varrer(&banco, &arquivo, &tarefas, &prontas);
        let thread = abrir_thread("faxina", varrer)?;
        Ok(Faxina {
            guarda: Some(guarda),
            ida: Some(ida),
            volta,
            thread: Some(thread),
            interromper,
            proxima: QUADROS_POR_FAXINA,
            falta_a_do_laco: false,
        })
    }

    /// Antes de uma transação: recebe de volta a guarda, e passa o pouco que a thread deixou. Se tudo
    /// passou, a transação recomeça o WAL.
    pub(super) fn terminar(&mut self, banco: &Connection, wal: Indice) -> Result<(), Problema> {
        if wal.bytes_do_wal() > TETO_DO_WAL {
            return Err(Problema::WalNoTeto);
        }
        if self.guarda.is_none() {
            match self.volta.try_recv() {
                Ok(guarda) => (self.guarda, self.falta_a_do_laco) = (Some(guarda?), true),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err(Problema::SemFaxina),
            }
        }
        if std::mem::take(&mut self.falta_a_do_laco) {
            self.proxima = wal.quadros.saturating_add(QUADROS_POR_FAXINA);
            if wal.faltam() <= QUADROS_NO_LACO {
                let (quadros, passados) = passar(banco)?;
                if quadros == passados && quadros >= 0 {
                    self.proxima = QUADROS_POR_FAXINA;
                }
            }
        }
        Ok(())
    }

    /// Dentro de uma transação: se é hora de uma faxina, a guarda passa a ler o livro como ele está.
    pub(super) fn segurar(&mut self, wal: Indice) -> Result<Option<Connection>, Problema> {
        if wal.quadros < self.proxima {
            return Ok(None);
        }
        let Some(guarda) = self.guarda.take() else { return Ok(None) };
        guarda.execute_batch("BEGIN")?;
        guarda
            .query_row("SELECT count(*) FROM sqlite_schema", [], |linha| linha.get::<_, i64>(0))?;
        Ok(Some(guarda))
    }

    /// Depois da transação: a thread começa, com a guarda que [`segurar`](Self::segurar) deu.
    pub(super) fn comecar(&mut self, guarda: Option<Connection>) {
        if let (Some(guarda), Some(ida)) = (guarda, &self.ida) {
            // Se a thread se foi, a próxima transação o descobre.
            let _ = ida.send(guarda);
        }
    }
}

impl Drop for Faxina {
    /// As conexões daqui se fecham antes da que vende, que assim é a última, e passa tudo a limpo.
    fn drop(&mut self) {
        self.ida = None;
        self.interromper.interrupt();
        if let Some(thread) = self.thread.take() {
            // Se ela entrou em pânico, já não há o que limpar.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Faxina {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faxina").field("proxima", &self.proxima).finish_non_exhaustive()
    }
}

/// O trabalho da thread.
fn varrer(
    banco: &Connection,
    arquivo: &File,
    tarefas: &Receiver<Connection>,
    prontas: &SyncSender<Result<Connection, Problema>>,
) {
    let mut aviso = AVISO_DO_WAL;
    for guarda in tarefas {
        let feito = limpar(banco, arquivo, &guarda, &mut aviso).map(|()| guarda);
        if prontas.send(feito).is_err() {
            return;
        }
    }
}

fn limpar(
    banco: &Connection,
    arquivo: &File,
    guarda: &Connection,
    aviso: &mut u64,
) -> Result<(), Problema> {
    let (quadros, passados) = passar(banco)?;
    // Sem passar tudo, o SQLite não espera o disco, e quem o esperaria depois seria o laço.
    arquivo.sync_data()?;
    guarda.execute_batch("COMMIT")?;
    let presos = u64::try_from(quadros - passados).unwrap_or_default() * 4096;
    if presos < AVISO_DO_WAL {
        *aviso = AVISO_DO_WAL;
    } else if presos >= *aviso {
        *aviso = presos * 2;
        avisar(presos);
    }
    Ok(())
}

/// Em uma thread à parte: um console que não anda não pode parar a faxina, nem o fim do programa.
fn avisar(presos: u64) {
    let mib = |bytes| bytes / 1024 / 1024;
    let linha = format!(
        "livro: outro programa lê o livro há muito tempo, e o -wal dele já tem {} MiB (com {}, o servidor \
         para); feche o outro",
        mib(presos),
        mib(TETO_DO_WAL)
    );
    // Sem thread, fica por dizer: a próxima vez é quando dobrar.
    let _ = abrir_thread("aviso", move || dizer(linha));
}

/// Passa o que puder do WAL para o arquivo, sem esperar por ninguém; diz quantos quadros há, e quantos
/// passaram. Se outro programa já o faz, diz -1.
fn passar(banco: &Connection) -> rusqlite::Result<(i64, i64)> {
    banco
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |linha| Ok((linha.get(1)?, linha.get(2)?)))
}
