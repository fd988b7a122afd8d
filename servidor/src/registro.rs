//! O registro do console (§9): uma linha por acontecimento, e nunca um laço parado por causa dela.
//!
//! O laço junta as linhas do turno em um buffer e o entrega, uma vez por turno, a uma thread que só
//! escreve, e que espera uns milissegundos por outros turnos: acordá-la a cada um custaria mais do que as
//! linhas. A fila entre os dois tem um teto: se o destino não acompanha (um terminal parado, um disco
//! cheio, um `| head -1`), linhas são perdidas e contadas, e a conta vai para o registro. Vender nunca
//! espera; o registro, sim.
//!
//! De um cliente só vai a uma linha ASCII visível: o que ele mandou é escapado e cortado, para que ninguém
//! comande o terminal do operador. Aqui não há níveis nem cores. Um arquivo tem um tamanho máximo, e
//! reabre-se quando pedem (SIGHUP); quem o troca de nome é o operador, ou o `logrotate`.

mod destino;

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocolo::mensagem::{AVISO, escrever_numero};
use protocolo::terminal::{abrir_thread, contar, hora_do_relogio};
use protocolo::{Comando, Seguidas};

pub use self::destino::Destino;
use crate::conexao::Fim;
use crate::estoque::Alcance;

/// O máximo de bytes à espera da thread que escreve: uns 100 mil comandos.
const FILA_MAXIMA: usize = 8 * 1024 * 1024;

/// Depois da primeira linha, quanto se espera por outras antes de escrever: quem olha um console não nota.
const JUNTA: Duration = Duration::from_millis(20);

/// Com tantos bytes já não se espera: a fila ainda tem lugar para o que chegar enquanto se escreve.
const PORCAO: usize = FILA_MAXIMA / 4;

/// Enquanto escreve, a thread não quer ser acordada.
const NUNCA: usize = usize::MAX;

/// O lado do laço: recebe os acontecimentos e nunca bloqueia.
#[derive(Debug)]
pub struct Registro {
    fila: Option<Arc<Fila>>,
    turno: Vec<u8>,
    linhas: u64,
    /// A hora das linhas deste turno, formatada na primeira delas.
    hora: String,
    /// O destino é um arquivo que o operador escolheu, e não o console.
    em_arquivo: bool,
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
    /// Linhas perdidas desde a última vez que o registro as informou.
    perdidas: u64,
    /// E ao todo.
    perdidas_ao_todo: u64,
    /// Com quantos bytes a thread quer ser acordada.
    acorda_com: usize,
    /// O operador pediu que o arquivo fosse reaberto.
    reabrir: bool,
    fechada: bool,
    terminou: bool,
}

impl Fila {
    fn trancar(&self) -> MutexGuard<'_, Espera> {
        self.espera.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Espera que haja o que escrever, e mais um pouco; ou que haja pressa.
    fn esperar(&self) -> MutexGuard<'_, Espera> {
        let mut espera = self.trancar();
        espera.acorda_com = 1;
        let nada = |espera: &mut Espera| espera.bytes.is_empty() && !espera.tem_pressa();
        espera = self.mudou.wait_while(espera, nada).unwrap_or_else(PoisonError::into_inner);
        espera.acorda_com = PORCAO;
        let pouco = |espera: &mut Espera| espera.bytes.len() < PORCAO && !espera.tem_pressa();
        let junta = self.mudou.wait_timeout_while(espera, JUNTA, pouco);
        espera = junta.unwrap_or_else(PoisonError::into_inner).0;
        espera.acorda_com = NUNCA;
        espera
    }
}

impl Espera {
    /// O programa vai terminar, ou o operador quer o que vem a seguir em outro arquivo.
    fn tem_pressa(&self) -> bool {
        self.fechada || self.reabrir
    }

    /// Há quantos bytes a thread quer? Só se diz uma vez: ela já vem.
    fn ja_basta(&mut self) -> bool {
        let basta = self.bytes.len() >= self.acorda_com;
        if basta {
            self.acorda_com = NUNCA;
        }
        basta
    }
}

impl Registro {
    /// Um registro que não registra nada (`--silencioso`).
    pub fn mudo() -> Self {
        let (turno, hora) = (Vec::new(), String::new());
        Registro { fila: None, turno, linhas: 0, hora, em_arquivo: false }
    }

    /// Um registro que escreve em `destino`, em uma thread só para isso.
    ///
    /// # Errors
    ///
    /// O sistema não deu mais uma thread.
    pub fn novo(destino: Destino) -> io::Result<Self> {
        let em_arquivo = destino.tem_caminho();
        let fila = Arc::new(Fila::default());
        let da_thread = Arc::clone(&fila);
        abrir_thread("registro", move || escrever_ate_fechar(&da_thread, destino))?;
        Ok(Registro { fila: Some(fila), em_arquivo, ..Registro::mudo() })
    }

    /// O que pede à thread que reabra o arquivo, de qualquer outra thread; `None` se não há arquivo.
    pub fn reabridor(&self) -> Option<impl Fn() + Send + Sync + 'static> {
        let fila = Arc::clone(self.fila.as_ref().filter(|_| self.em_arquivo)?);
        Some(move || {
            fila.trancar().reabrir = true;
            fila.mudou.notify_all();
        })
    }

    /// O que o console já ouve na saída de erro, e quem lê o arquivo não ouviria: a abertura e o fim.
    pub fn anotar(&mut self, texto: impl Display) {
        if self.em_arquivo {
            self.linha(|linha| {
                let _ = writeln!(linha, "{texto}");
            });
        }
    }

    /// Um cliente entrou; há `ativas` conexões, com a dele.
    pub fn conectou(&mut self, endereco: SocketAddr, ativas: usize) {
        self.linha(|linha| {
            let _ = writeln!(linha, "{endereco} conectou (ativas: {ativas})");
        });
    }

    /// Um cliente saiu, ou nem entrou ([`Fim::Lotado`]); `inacabada` é a linha que não terminou, de que
    /// só se mostra o começo.
    pub fn desconectou(&mut self, endereco: SocketAddr, fim: Fim, inacabada: &[u8]) {
        self.linha(|linha| {
            let _ = write!(linha, "{endereco} desconectou ({fim})");
            if !inacabada.is_empty() {
                linha.extend_from_slice(b" sem terminar: ");
                linha.extend(
                    inacabada
                        .iter()
                        .take(Comando::TRECHO)
                        .copied()
                        .flat_map(std::ascii::escape_default),
                );
            }
            linha.push(b'\n');
        });
    }

    /// Um pedido e as respostas que teve, uma linha para cada. São as linhas de que há muitas: não passam pelo
    /// formatador.
    #[inline] // calado, não custa nem a chamada
    pub fn pedidos(&mut self, endereco: SocketAddr, pedido: &Comando, respostas: Seguidas) {
        if self.fila.is_none() {
            return;
        }
        let inicio = self.turno.len();
        self.linha(|linha| {
            escrever_pedido(endereco, pedido, linha);
            respostas.primeira().escrever(linha);
        });
        respostas.continuar(inicio, &mut self.turno);
        self.linhas += respostas.vezes() as u64 - 1;
    }

    /// Uma compra, pedida tantas vezes, de que não se sabe se valeu: não teve resposta.
    pub fn sem_desfecho(&mut self, endereco: SocketAddr, pedido: &Comando, vezes: usize) {
        for _ in 0..vezes {
            self.linha(|linha| {
                escrever_pedido(endereco, pedido, linha);
                linha.extend_from_slice(b"(sem resposta: pode ter valido)\n");
            });
        }
    }

    /// O AVISO foi posto na saída de `clientes` conexões.
    pub fn aviso(&mut self, clientes: usize) {
        let clientes = contar(clientes, "cliente", "clientes");
        self.linha(|linha| {
            let _ = writeln!(linha, "{AVISO} -> {clientes}");
        });
    }

    /// Entraram unidades: havia tantas à venda, e há mais. De um estoque repartido não se vê quantas entraram, porque
    /// os outros servidores vendem enquanto isso.
    pub fn reposto(&mut self, havia: u64, ha: u64) {
        self.linha(|linha| {
            let _ = writeln!(linha, "estoque: reposto (de {havia} para {ha})");
        });
    }

    /// Quem guarda o estoque deixou de responder, ou voltou.
    pub fn alcance(&mut self, alcance: Alcance) {
        let texto = match alcance {
            Alcance::Responde => "outra vez ao alcance",
            Alcance::Cala => "fora de alcance: nada se vende",
            Alcance::SemLugar => {
                "fora de alcance: o etcd ficou sem lugar (quota), e nada se vende; compacte, desfragmente e desarme o alarme"
            }
        };
        self.linha(|linha| {
            let _ = writeln!(linha, "estoque: {texto}");
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
            espera.perdidas_ao_todo += self.linhas;
            self.turno.clear();
        } else {
            espera.linhas += self.linhas;
            if espera.bytes.is_empty() {
                std::mem::swap(&mut espera.bytes, &mut self.turno);
            } else {
                espera.bytes.append(&mut self.turno);
            }
        }
        let acordar = espera.ja_basta();
        drop(espera);
        if acordar {
            fila.mudou.notify_all();
        }
        self.linhas = 0;
        self.hora.clear();
    }

    /// O turno não valeu, por isto: o que se escreveu nele não aconteceu. Espera o resto sair, como
    /// [`Registro::fechar`].
    pub fn desistir(mut self, porque: impl Display, prazo: Duration) {
        self.turno.clear();
        self.linhas = 0;
        self.anotar(format_args!("servidor: parou de vender: {porque}"));
        self.fechar(prazo);
    }

    /// Quantas linhas, até agora, não chegaram ao destino nem chegarão.
    pub fn perdidas(&self) -> u64 {
        self.fila.as_ref().map_or(0, |fila| fila.trancar().perdidas_ao_todo)
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
fn escrever_ate_fechar(fila: &Fila, mut destino: Destino) {
    let mut bytes = Vec::new();
    loop {
        let mut espera = fila.esperar();
        std::mem::swap(&mut espera.bytes, &mut bytes);
        let linhas = std::mem::take(&mut espera.linhas);
        let por_informar = std::mem::take(&mut espera.perdidas);
        let reabrir = std::mem::take(&mut espera.reabrir);
        let (escritas_antes, ultima_vez) = (espera.escritas, espera.fechada);
        drop(espera);

        if reabrir {
            destino.reabrir();
        }
        let perdidas = destino.escrever(&mut bytes, linhas, por_informar, |escritas| {
            fila.trancar().escritas += escritas;
        });
        bytes.clear();

        let mut espera = fila.trancar();
        espera.perdidas += perdidas;
        espera.perdidas_ao_todo += linhas - (espera.escritas - escritas_antes);
        if ultima_vez {
            espera.terminou = true;
            fila.mudou.notify_all();
            return;
        }
    }
}

/// Quem pediu, e o quê; a resposta vem a seguir.
#[inline]
fn escrever_pedido(endereco: SocketAddr, pedido: &Comando, linha: &mut Vec<u8>) {
    escrever_endereco(endereco, linha);
    linha.push(b' ');
    match pedido {
        Comando::Http(trecho) | Comando::PedidoInvalido(trecho) | Comando::Desconhecido(trecho) => {
            linha.extend(trecho.escape_ascii())
        }
        Comando::Pedido(id) => {
            linha.extend_from_slice(pedido.nome());
            linha.push(b' ');
            linha.extend_from_slice(id.texto().as_bytes());
        }
        nosso => linha.extend_from_slice(nosso.nome()),
    }
    linha.extend_from_slice(b" -> ");
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
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn um_endereco_se_escreve_como_o_display_o_diz() {
        for texto in ["0.0.0.0:0", "127.0.0.1:12346", "255.20.103.9:65535", "[2001:db8::1]:80"] {
            let mut linha = Vec::new();
            escrever_endereco(texto.parse().unwrap(), &mut linha);
            assert_eq!(linha, texto.as_bytes());
        }
    }

    /// O destino é um cano que ninguém lê: a thread enche-o e fica presa, e a fila enche atrás dela.
    #[test]
    fn a_fila_tem_teto_e_o_que_passa_dele_se_perde_e_se_conta() {
        let (leitor, cano) = std::io::pipe().unwrap();
        let destino = Destino::novo(std::fs::File::from(OwnedFd::from(cano)), None, u64::MAX);
        let mut registro = Registro::novo(destino).unwrap();
        let endereco = SocketAddr::from(([127, 0, 0, 1], 12346));
        let mut linhas = 0;
        // Bem mais do que cabe na fila, no buffer da thread e no cano.
        for _ in 0..4 * FILA_MAXIMA / (1000 * 32) {
            (0..1000).for_each(|_| registro.conectou(endereco, 1));
            linhas += 1000;
            registro.entregar();
        }
        let espera = registro.fila.as_ref().unwrap().trancar();
        assert!(espera.bytes.len() <= FILA_MAXIMA, "{}", espera.bytes.len());
        assert!(espera.perdidas > 0 && espera.linhas + espera.perdidas <= linhas);
        drop(espera);
        // Sem leitor, a thread solta-se com um erro.
        drop(leitor);
        assert!(registro.fechar(Duration::from_secs(30)) > 0);
    }
}
