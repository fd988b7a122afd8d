//! Para onde vai o registro: o console, ou um arquivo que tem um tamanho máximo e se reabre.
//!
//! Só a thread do registro escreve aqui. Um erro não é o fim: o disco pode voltar a ter espaço, e o
//! arquivo, a ter lugar. O que não foi escrito se conta e se informa quando der. Este módulo não sabe
//! de turnos nem de filas, e não apaga nem troca o nome de arquivo nenhum.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use memchr::memchr_iter;
use protocolo::terminal::{explicar, hora_do_relogio};

use crate::sistema;

/// Quanto se escreve de cada vez. Até este tamanho uma escrita em um cano entra inteira ou não entra
/// (o `PIPE_BUF` de pipe(7)), e a conta do que se perdeu é exata ainda que o programa termine com a
/// thread parada em uma escrita.
const PEDACO: usize = 4096;

/// O mesmo, em um arquivo, que não para no meio: quanto maior, menos chamadas.
const PEDACO_DE_ARQUIVO: usize = 64 * 1024;

/// Quanto se espera por um console que não bloqueia e está cheio.
const CONSOLE_CHEIO: Duration = Duration::from_millis(10);

/// O lugar que um arquivo guarda, até o máximo dele, para dizer que encheu.
const RESERVA: u64 = 256;

/// Um destino aberto.
#[derive(Debug)]
pub struct Destino {
    aberto: File,
    /// De onde se reabre; `None` é o console.
    caminho: Option<PathBuf>,
    maximo: u64,
    medida: Medida,
    /// A última escrita parou no meio de uma linha.
    partida: bool,
    disse_que_encheu: bool,
}

/// O que o destino é, e quanto há nele.
#[derive(Debug, Clone, Copy)]
enum Medida {
    /// Um arquivo comum, com este tamanho.
    Arquivo(u64),
    /// Um terminal, um cano, um dispositivo: não tem tamanho.
    Outro,
}

impl Destino {
    /// A saída padrão: o descritor, sem o buffer da std. O registro tem o dele, e conta o que não saiu.
    /// O máximo só vale se ela foi desviada para um arquivo.
    ///
    /// # Errors
    ///
    /// O sistema não deu mais um descritor.
    pub fn console(maximo: u64) -> io::Result<Self> {
        Ok(Destino::novo(sistema::saida_padrao()?, None, maximo))
    }

    /// Um arquivo, que se cria se não existe e cresce até `maximo` bytes, contando os que já tem.
    ///
    /// # Errors
    ///
    /// Não pode ser aberto; se é um cano que ninguém lê, o erro vem na hora, em vez de se esperar.
    pub fn arquivo(caminho: &Path, maximo: u64) -> io::Result<Self> {
        Ok(Destino::novo(sistema::abrir_sem_esperar(caminho)?, Some(caminho.into()), maximo))
    }

    pub(super) fn novo(aberto: File, caminho: Option<PathBuf>, maximo: u64) -> Self {
        let medida = medir(&aberto);
        Destino { aberto, caminho, maximo, medida, partida: false, disse_que_encheu: false }
    }

    /// É um arquivo que o operador escolheu, e não o console?
    pub(super) fn tem_caminho(&self) -> bool {
        self.caminho.is_some()
    }

    /// Um arquivo que já não tem lugar para linha nenhuma?
    pub fn cheio(&self) -> bool {
        self.cabem().is_some_and(|cabem| cabem == 0)
    }

    /// Abre outra vez o mesmo caminho: quem trocou o nome do arquivo quer as próximas linhas em um
    /// novo. Se não se consegue, continua no que já estava aberto, e ali fica dito por quê.
    pub(super) fn reabrir(&mut self) {
        let Some(caminho) = &self.caminho else { return };
        match sistema::abrir_sem_esperar(caminho) {
            Ok(novo) => *self = Destino::novo(novo, self.caminho.take(), self.maximo),
            Err(erro) => {
                self.anotar(format_args!("o arquivo não foi reaberto: {}", explicar(&erro)))
            }
        }
    }

    /// Escreve estas linhas e, por último, quantas se perderam antes delas. `escritas` ouve quantas
    /// chegaram, à medida que chegam. Diz quantas há por informar: as que não chegaram, e as de antes
    /// se nem isso se conseguiu dizer.
    pub(super) fn escrever(
        &mut self,
        bytes: &mut Vec<u8>,
        linhas: u64,
        por_informar: u64,
        mut escritas: impl FnMut(u64),
    ) -> u64 {
        if por_informar > 0 {
            let _ = writeln!(bytes, "{} registro: linhas perdidas: {por_informar}", hora());
        }
        if bytes.is_empty() {
            return 0;
        }
        self.terminar_a_linha_partida();
        let mut faltam = linhas;
        let foram = self.escrever_o_que_der(bytes, |escrito| {
            // A última, que informa as perdidas, não é uma das que o laço produziu.
            let completas = (memchr_iter(b'\n', escrito).count() as u64).min(faltam);
            faltam -= completas;
            escritas(completas);
        });
        self.partida = bytes[..foram].last().map_or(self.partida, |ultimo| *ultimo != b'\n');
        if foram == bytes.len() {
            self.disse_que_encheu = false;
            faltam
        } else {
            faltam + por_informar
        }
    }

    /// O pedaço que ficou de uma linha não estraga a seguinte.
    fn terminar_a_linha_partida(&mut self) {
        if self.partida && sistema::escrever_no_registro(&self.aberto, b"\n").is_ok() {
            self.cresceu(1);
            self.partida = false;
        }
    }

    /// Escreve até o fim ou até o primeiro erro, mostrando a `escrito` cada pedaço que foi; diz quantos
    /// bytes foram ao todo.
    fn escrever_o_que_der(&mut self, bytes: &[u8], mut escrito: impl FnMut(&[u8])) -> usize {
        let pedaco = match self.medida {
            Medida::Arquivo(_) => PEDACO_DE_ARQUIVO,
            Medida::Outro => PEDACO,
        };
        let mut escritos = 0;
        while escritos < bytes.len() {
            let proximo = self.o_que_cabe(&bytes[escritos..bytes.len().min(escritos + pedaco)]);
            if proximo.is_empty() {
                self.dizer_que_encheu();
                break;
            }
            match sistema::escrever_no_registro(&self.aberto, proximo) {
                Ok(0) => break,
                Ok(n) => {
                    self.cresceu(n as u64);
                    escrito(&proximo[..n]);
                    escritos += n;
                }
                Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
                // Um console que outro programa deixou em modo não bloqueante: só está cheio.
                Err(erro) if erro.kind() == ErrorKind::WouldBlock => thread::sleep(CONSOLE_CHEIO),
                Err(_) => break,
            }
        }
        escritos
    }

    /// Destes bytes, as linhas inteiras que ainda cabem no arquivo.
    fn o_que_cabe<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let falta_lugar =
            |destino: &Destino| destino.cabem().filter(|cabem| *cabem < bytes.len() as u64);
        if falta_lugar(self).is_some() {
            // Quem cuida do arquivo pode tê-lo esvaziado (o `copytruncate` do logrotate).
            self.medida = medir(&self.aberto);
        }
        let Some(cabem) = falta_lugar(self) else { return bytes };
        let cabem = &bytes[..usize::try_from(cabem).unwrap_or(bytes.len())];
        &cabem[..cabem.iter().rposition(|byte| *byte == b'\n').map_or(0, |fim| fim + 1)]
    }

    /// Quantos bytes de linhas ainda cabem; `None` se o destino não tem tamanho.
    fn cabem(&self) -> Option<u64> {
        match self.medida {
            Medida::Arquivo(tamanho) => Some(self.maximo.saturating_sub(tamanho + RESERVA)),
            Medida::Outro => None,
        }
    }

    fn cresceu(&mut self, bytes: u64) {
        if let Medida::Arquivo(tamanho) = &mut self.medida {
            *tamanho += bytes;
        }
    }

    /// Quem lê um arquivo que parou de crescer precisa saber que não foi a venda que parou.
    fn dizer_que_encheu(&mut self) {
        if !std::mem::replace(&mut self.disse_que_encheu, true) {
            self.anotar("chegou a --registro-maximo; as linhas seguintes se perdem");
        }
    }

    /// Uma linha deste módulo. Se não sair, não há a quem dizer.
    fn anotar(&mut self, texto: impl Display) {
        let linha = format!("{} registro: {texto}\n", hora());
        if sistema::escrever_no_registro(&self.aberto, linha.as_bytes()).is_ok() {
            self.cresceu(linha.len() as u64);
        }
    }
}

fn medir(aberto: &File) -> Medida {
    match aberto.metadata() {
        Ok(medidas) if medidas.is_file() => Medida::Arquivo(medidas.len()),
        _ => Medida::Outro,
    }
}

fn hora() -> impl Display {
    humantime::format_rfc3339_millis(hora_do_relogio())
}
