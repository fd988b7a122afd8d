//! O registro do console (§9): uma linha por acontecimento, e nunca um laço parado por causa dela.
//!
//! O laço junta as linhas do turno em um buffer e o entrega, uma vez por turno, a uma thread que só
//! escreve. A fila entre os dois tem um teto: se o destino não acompanha (um terminal parado, um
//! disco cheio, um `| head -1`), linhas são perdidas e contadas, e a conta vai para o registro.
//! Vender nunca espera; o registro, sim.
//!
//! Uma linha só tem ASCII visível: o que um cliente mandou é escapado e cortado, para que ninguém
//! comande o terminal do operador. Aqui não há níveis, cores nem rotação de arquivos.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocolo::mensagem::{AVISO, escrever_numero};
use protocolo::terminal::{contar, hora_do_relogio};
use protocolo::{Comando, Resposta};

use crate::conexao::{Fim, Pedido};

/// O máximo de bytes à espera da thread que escreve: uns 100 mil comandos.
const FILA_MAXIMA: usize = 8 * 1024 * 1024;

/// Quanto se escreve de cada vez. Até este tamanho uma escrita em um cano entra inteira ou não entra
/// (o `PIPE_BUF` de pipe(7)), e a conta do que se perdeu é exata ainda que o programa termine com a
/// thread parada em uma escrita.
const PEDACO: usize = 4096;

/// O mesmo, em um arquivo, que não para no meio: quanto maior, menos chamadas.
const PEDACO_DE_ARQUIVO: usize = 64 * 1024;

/// Quanto a thread do registro espera por um console que não bloqueia e está cheio.
const CONSOLE_CHEIO: Duration = Duration::from_millis(10);

/// O lado do laço: recebe os acontecimentos e nunca bloqueia.
#[derive(Debug)]
pub struct Registro {
    fila: Option<Arc<Fila>>,
    turno: Vec<u8>,
    linhas: u64,
    /// A hora das linhas deste turno, formatada na primeira delas.
    hora: String,
}

/// O que os dois lados compartilham. A trava só é segurada para trocar ou acrescentar bytes.
#[derive(Debug, Default)]
struct Fila {
    espera: Mutex<Espera>,
    mudou: Condvar,
}

#[derive(Debug, Default)]
struct Espera {
    bytes: Vec<u8>,
    /// Quantas linhas há em `bytes`.
    linhas: u64,
    /// Linhas que o laço produziu e linhas que chegaram ao destino; a diferença, no fim, se perdeu.
    produzidas: u64,
    escritas: u64,
    /// Linhas perdidas desde a última vez que o registro as confessou.
    perdidas: u64,
    dormindo: bool,
    fechada: bool,
    terminou: bool,
}

impl Fila {
    fn trancar(&self) -> MutexGuard<'_, Espera> {
        self.espera.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registro {
    /// Um registro que não registra nada (`--silencioso`).
    pub fn mudo() -> Self {
        Registro { fila: None, turno: Vec::new(), linhas: 0, hora: String::new() }
    }

    /// Um registro que escreve em `destino`, em uma thread só para isso.
    ///
    /// # Errors
    ///
    /// O sistema não deu mais uma thread.
    pub fn novo(destino: File) -> io::Result<Self> {
        let fila = Arc::new(Fila::default());
        let escrivao = Arc::clone(&fila);
        thread::Builder::new()
            .name("registro".into())
            .spawn(move || escrever_ate_fechar(&escrivao, destino))?;
        Ok(Registro { fila: Some(fila), ..Registro::mudo() })
    }

    /// Um cliente entrou; há `ativas` conexões, com a dele.
    pub fn conectou(&mut self, endereco: SocketAddr, ativas: usize) {
        self.linha(|linha| {
            let _ = writeln!(linha, "{endereco} conectou (ativas: {ativas})");
        });
    }

    /// Um cliente saiu, ou nem entrou ([`Fim::Lotado`]).
    pub fn desconectou(&mut self, endereco: SocketAddr, fim: Fim) {
        self.linha(|linha| {
            let _ = writeln!(linha, "{endereco} desconectou ({fim})");
        });
    }

    /// Um pedido e a resposta que teve. É a linha de que há muitas: não passa pelo formatador.
    #[inline] // calado, não custa nem a chamada
    pub fn pedido(&mut self, endereco: SocketAddr, pedido: &Pedido, resposta: Resposta) {
        if self.fila.is_none() {
            return;
        }
        self.linha(|linha| {
            escrever_endereco(endereco, linha);
            linha.push(b' ');
            match pedido {
                Pedido::Comando(Comando::Http(trecho) | Comando::Desconhecido(trecho)) => {
                    linha.extend(trecho.escape_ascii());
                }
                Pedido::Comando(nosso) => linha.extend_from_slice(nosso.nome()),
                Pedido::LinhaLonga => linha.extend_from_slice(b"(linha longa)"),
                Pedido::Tls => linha.extend_from_slice(b"(TLS)"),
            }
            linha.extend_from_slice(b" -> ");
            resposta.escrever(linha);
        });
    }

    /// O AVISO foi posto na saída de `clientes` conexões.
    pub fn aviso(&mut self, clientes: usize) {
        let clientes = contar(clientes, "cliente", "clientes");
        self.linha(|linha| {
            let _ = writeln!(linha, "{AVISO} -> {clientes}");
        });
    }

    /// Escrever em memória não falha.
    fn linha(&mut self, escrever: impl FnOnce(&mut Vec<u8>)) {
        if self.fila.is_none() {
            return;
        }
        if self.hora.is_empty() {
            self.hora = format!("{} ", humantime::format_rfc3339_millis(hora_do_relogio()));
        }
        self.turno.extend_from_slice(self.hora.as_bytes());
        escrever(&mut self.turno);
        self.linhas += 1;
    }

    /// Fim do turno: entrega as linhas, ou as perde se a fila está cheia. Não bloqueia.
    pub fn entregar(&mut self) {
        let Some(fila) = self.fila.as_ref().filter(|_| self.linhas > 0) else { return };
        let mut espera = fila.trancar();
        espera.produzidas += self.linhas;
        if espera.bytes.len() + self.turno.len() > FILA_MAXIMA {
            espera.perdidas += self.linhas;
            self.turno.clear();
        } else {
            espera.linhas += self.linhas;
            if espera.bytes.is_empty() {
                std::mem::swap(&mut espera.bytes, &mut self.turno);
            } else {
                espera.bytes.append(&mut self.turno);
            }
        }
        let acordar = espera.dormindo;
        drop(espera);
        if acordar {
            fila.mudou.notify_all();
        }
        self.linhas = 0;
        self.hora.clear();
    }

    /// O turno não valeu: o que se escreveu nele não aconteceu. Espera o resto sair, como
    /// [`Registro::fechar`].
    pub fn desistir(mut self, prazo: Duration) {
        self.turno.clear();
        self.linhas = 0;
        self.fechar(prazo);
    }

    /// Espera até `prazo` a thread escrever o que falta e diz quantas linhas se perderam ao todo.
    pub fn fechar(mut self, prazo: Duration) -> u64 {
        self.entregar();
        let Some(fila) = self.fila else { return 0 };
        let limite = Instant::now() + prazo;
        let mut espera = fila.trancar();
        espera.fechada = true;
        fila.mudou.notify_all();
        while !espera.terminou {
            let falta = limite.saturating_duration_since(Instant::now());
            if falta.is_zero() {
                break;
            }
            espera =
                fila.mudou.wait_timeout(espera, falta).unwrap_or_else(PoisonError::into_inner).0;
        }
        espera.produzidas - espera.escritas
    }
}

/// O lado da thread: troca o buffer cheio pelo vazio e escreve, até a fila fechar e secar.
fn escrever_ate_fechar(fila: &Fila, mut destino: File) {
    let e_arquivo = destino.metadata().is_ok_and(|destino| destino.is_file());
    let pedaco = if e_arquivo { PEDACO_DE_ARQUIVO } else { PEDACO };
    let mut bytes = Vec::new();
    let mut partida = false;
    loop {
        let mut espera = fila.trancar();
        while espera.bytes.is_empty() && !espera.fechada {
            espera.dormindo = true;
            espera = fila.mudou.wait(espera).unwrap_or_else(PoisonError::into_inner);
        }
        espera.dormindo = false;
        std::mem::swap(&mut espera.bytes, &mut bytes);
        let mut faltam = std::mem::take(&mut espera.linhas);
        let a_confessar = std::mem::take(&mut espera.perdidas);
        let ultima_vez = espera.fechada;
        drop(espera);

        if a_confessar > 0 {
            let hora = humantime::format_rfc3339_millis(hora_do_relogio());
            let _ = writeln!(bytes, "{hora} registro: linhas perdidas: {a_confessar}");
        }
        if partida {
            // A escrita anterior parou no meio de uma linha: o pedaço que ficou não estraga esta.
            let _ = destino.write(b"\n");
        }
        let escritos = escrever_o_que_der(&mut destino, &bytes, pedaco, |escrito| {
            // A confissão vem por último e não é uma das que o laço produziu.
            let completas = contar_linhas(escrito).min(faltam);
            faltam -= completas;
            fila.trancar().escritas += completas;
        });
        let confessou = escritos == bytes.len();
        partida = bytes[..escritos].last().map_or(partida, |ultimo| *ultimo != b'\n');
        bytes.clear();

        let mut espera = fila.trancar();
        espera.perdidas += faltam + if confessou { 0 } else { a_confessar };
        if ultima_vez {
            espera.terminou = true;
            fila.mudou.notify_all();
            return;
        }
    }
}

/// Escreve até o fim ou até o primeiro erro, mostrando a `escrito` cada pedaço que foi; diz quantos
/// bytes foram ao todo. Um erro não é o fim do registro: o disco pode voltar a ter espaço.
fn escrever_o_que_der(
    destino: &mut File,
    bytes: &[u8],
    pedaco: usize,
    mut escrito: impl FnMut(&[u8]),
) -> usize {
    let mut escritos = 0;
    while escritos < bytes.len() {
        let proximo = &bytes[escritos..bytes.len().min(escritos + pedaco)];
        match destino.write(proximo) {
            Ok(0) => break,
            Ok(n) => {
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

/// Em pedaços que um `u8` conta, para que o compilador os some muitos de uma vez.
fn contar_linhas(bytes: &[u8]) -> u64 {
    let somar = |pedaco: &[u8]| pedaco.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    bytes.chunks(255).map(|pedaco| u64::from(somar(pedaco))).sum()
}

/// O que `Display` diz de um endereço; os IPv4, que são quase todos, sem o formatador.
fn escrever_endereco(endereco: SocketAddr, linha: &mut Vec<u8>) {
    let IpAddr::V4(ip) = endereco.ip() else {
        let _ = write!(linha, "{endereco}");
        return;
    };
    for (i, octeto) in ip.octets().into_iter().enumerate() {
        if i > 0 {
            linha.push(b'.');
        }
        escrever_numero(octeto.into(), linha);
    }
    linha.push(b':');
    escrever_numero(endereco.port().into(), linha);
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn um_endereco_se_escreve_como_o_display_o_diz() {
        for texto in ["0.0.0.0:0", "127.0.0.1:12346", "255.20.103.9:65535", "[2001:db8::1]:80"] {
            let mut linha = Vec::new();
            escrever_endereco(texto.parse().unwrap(), &mut linha);
            assert_eq!(linha, texto.as_bytes());
        }
    }
}
