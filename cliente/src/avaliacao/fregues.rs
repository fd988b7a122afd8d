//! O freguês: uma conexão que faz o que a prova manda, certo ou errado, e guarda o que ouviu. Toda
//! espera tem prazo, e nada que o servidor faça é um erro: é um fato da prova.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocolo::mensagem::{AVISO, avisa_que_esgotou};
use protocolo::{Comando, Mensagem};
use rustix::process::Pid;
use socket2::SockRef;

use super::banca::Quem;
use super::costumes::{Costumes, PRAZO};
use crate::historia::{Desfecho, Historia, Operacao, Presenca};
use crate::opcoes::FimDeLinha;
use crate::ouvido::{Ouvido, SILENCIO_DE_QUEM_SEPARA};
use crate::parada::Parada;
use crate::sessao::{conectar, ler};

/// Depois de um texto que não responde ao pedido, quanto se espera ainda pela resposta.
const OUTRA_CHANCE: Duration = Duration::from_millis(300);

/// Quantos AVISOs uma conexão guarda: um servidor que avisa sem parar não ocupa a memória.
const AVISOS_MAXIMOS: usize = 1000;

/// De quem fecha a conexão depois de responder, quanto se espera que feche.
const ATE_FECHAR: Duration = Duration::from_millis(100);

/// O que toda a avaliação tem em comum.
#[derive(Debug, Clone)]
pub struct Mundo {
    /// Como chegar ao servidor.
    pub quem: Quem,
    /// Onde ele escuta.
    pub endereco: SocketAddr,
    /// Quanto esperar que ele abra.
    pub espera: Duration,
    /// O que este servidor espera depois de um comando.
    pub fim_de_linha: FimDeLinha,
    /// O grupo de processos do servidor aberto agora, se há um.
    pub aberto: Arc<Mutex<Option<Pid>>>,
    /// Responde com outras palavras: não adianta esperar pelas do enunciado. Aprende-se uma vez.
    pub respostas_estranhas: Arc<AtomicBool>,
    /// Quanto demora, e se fecha a conexão depois de responder.
    pub costumes: Arc<Costumes>,
    /// O instante zero.
    pub inicio: Instant,
    /// O pedido de parada.
    pub parada: Arc<Parada>,
}

/// Um pedido e a resposta, letra por letra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Troca {
    /// O que se pediu.
    pub comando: Comando,
    /// O que veio, sem o fim de linha; `None` se nada veio no prazo.
    pub resposta: Option<String>,
    /// Quanto demorou.
    pub demora: Duration,
}

impl Troca {
    /// O que a resposta quer dizer.
    pub fn mensagem(&self) -> Option<Mensagem> {
        self.resposta.as_ref().map(|texto| Mensagem::interpretar(texto.as_bytes()))
    }

    /// A resposta responde ao que se pediu, e se entende?
    pub fn se_entende(&self) -> bool {
        let compra = self.comando == Comando::Comprar;
        let desfecho = self.mensagem().map(|mensagem| Desfecho::de(compra, &mensagem));
        desfecho.is_some_and(|desfecho| !matches!(desfecho, Desfecho::Estranho(_)))
    }

    /// A resposta veio letra por letra como o enunciado a escreve (§3.2)?
    pub fn ao_pe_da_letra(&self) -> bool {
        let conhecida = self.mensagem().filter(|mensagem| !matches!(mensagem, Mensagem::Outra(_)));
        conhecida.is_some_and(|mensagem| Some(mensagem.to_string()) == self.resposta)
    }
}

/// Conecta, pela vez de número `numero` deste freguês.
fn entrar(mundo: &Mundo, numero: u32) -> io::Result<(Arc<TcpStream>, Presenca)> {
    let pediu = mundo.inicio.elapsed();
    let socket = conectar(&mundo.parada, mundo.endereco, PRAZO)?;
    socket.set_write_timeout(Some(PRAZO))?;
    let conectou = mundo.inicio.elapsed();
    Ok((socket, Presenca { numero, pediu, conectou, ..Presenca::default() }))
}

/// Uma conexão com o servidor avaliado.
#[derive(Debug)]
pub struct Fregues<'a> {
    mundo: &'a Mundo,
    socket: Arc<TcpStream>,
    ouvido: Ouvido,
    /// Chegou e ainda não se usou: quando, e o texto.
    chegadas: VecDeque<(Duration, String)>,
    historia: Historia,
    /// Se o servidor fecha a conexão, conecta de novo para o pedido seguinte?
    pub volta: bool,
    /// As palavras dos AVISOs.
    pub avisos: Vec<String>,
    /// O que pediu e ouviu.
    pub trocas: Vec<Troca>,
    portas: Vec<u16>,
}

impl<'a> Fregues<'a> {
    /// Conecta.
    ///
    /// # Errors
    ///
    /// Ninguém atende.
    pub fn conectar(mundo: &'a Mundo) -> io::Result<Self> {
        let (socket, presenca) = entrar(mundo, 1)?;
        let mut fregues = Fregues {
            mundo,
            socket,
            ouvido: Ouvido::default(),
            chegadas: VecDeque::new(),
            historia: Historia { presencas: vec![presenca], ..Historia::default() },
            volta: mundo.costumes.fecha(),
            avisos: Vec::new(),
            trocas: Vec::new(),
            portas: Vec::new(),
        };
        fregues.anota_a_porta();
        Ok(fregues)
    }

    /// Conecta de novo, se o servidor fechou a conexão e é o caso de voltar. Se não se consegue, a conexão
    /// continua fechada.
    pub fn volta_se_preciso(&mut self) {
        self.esvazia();
        let numero = self.presenca().numero + 1;
        if !(self.volta && self.fechada()) {
            return;
        }
        if let Ok((socket, presenca)) = entrar(self.mundo, numero) {
            self.socket = socket;
            self.ouvido = Ouvido::default();
            self.historia.presencas.push(presenca);
            self.anota_a_porta();
        }
    }

    /// O servidor fechou esta conexão?
    pub fn fechada(&self) -> bool {
        self.historia.presencas.last().is_some_and(|presenca| presenca.fechou.is_some())
    }

    /// Espera até `quanto` que o servidor feche a conexão, e diz se a fechou. O que chegar fica guardado.
    pub fn espera_fechar(&mut self, quanto: Duration) -> bool {
        let limite = self.mundo.inicio.elapsed() + quanto;
        while self.escuta(limite) && self.mundo.inicio.elapsed() < limite {}
        self.guarda_o_que_chegou();
        self.fechada()
    }

    /// Já ouviu, nesta conexão, algo que não pediu? Espera até `quanto` que termine de chegar.
    pub fn desencontrou(&mut self, quanto: Duration) -> bool {
        self.espera_fechar(quanto);
        self.presenca().desencontro.is_some()
    }

    /// A conexão de agora. Há sempre uma.
    fn presenca(&mut self) -> &mut Presenca {
        let ultima = self.historia.presencas.len() - 1;
        &mut self.historia.presencas[ultima]
    }

    /// As portas desta ponta, uma por conexão, como o servidor as viu.
    pub fn portas(&self) -> &[u16] {
        &self.portas
    }

    fn anota_a_porta(&mut self) {
        self.portas.extend(self.socket.local_addr().map(|endereco| endereco.port()));
    }

    /// Manda bytes. Se o servidor não os recebe, é ele quem perde.
    pub fn manda(&self, bytes: &[u8]) {
        let _ = (&*self.socket).write_all(bytes);
    }

    /// Pede e espera a resposta; o que for AVISO fica guardado.
    pub fn pede(&mut self, comando: Comando) -> Option<Mensagem> {
        self.volta_se_preciso();
        let bytes = [comando.nome(), self.mundo.fim_de_linha.bytes()].concat();
        let enviada = self.mundo.inicio.elapsed();
        self.manda(&bytes);
        let compra = comando == Comando::Comprar;
        let chegada = self.espera_resposta(compra, enviada);
        // Um começo que já estava aqui pode terminar agora: passa pela resposta, e o tempo não volta.
        let chegada = chegada.map(|(quando, texto)| (quando.max(enviada), texto));
        let mensagem = chegada.as_ref().map(|(_, texto)| Mensagem::interpretar(texto.as_bytes()));
        let resposta = chegada.as_ref().zip(mensagem.as_ref()).map(|((quando, _), mensagem)| {
            let presenca = self.presenca();
            presenca.respondida.get_or_insert(*quando);
            let desfecho = Desfecho::de(compra, mensagem);
            if matches!(desfecho, Desfecho::Estranho(_)) {
                presenca.desencontro.get_or_insert(enviada);
            }
            (*quando, desfecho)
        });
        let fim = chegada.as_ref().map_or_else(|| self.mundo.inicio.elapsed(), |(fim, _)| *fim);
        let presenca = self.presenca().numero;
        self.historia.operacoes.push(Operacao { presenca, compra, enviada, resposta });
        let resposta = chegada.map(|(_, texto)| texto);
        if resposta.is_some() {
            self.mundo.costumes.respondeu(fim);
            if self.mundo.costumes.fecha() {
                self.espera_fechar(ATE_FECHAR);
            }
        }
        self.trocas.push(Troca { comando, resposta, demora: fim - enviada });
        mensagem
    }

    /// Compra até ouvir que foi a última, ou outra coisa que não uma venda; no máximo `quantas`, que um
    /// servidor pode nunca dizer que acabou.
    pub fn compra_tudo(&mut self, quantas: u64) {
        for _ in 0..quantas {
            let Some(Mensagem::Compra { restante: 1.. }) = self.pede(Comando::Comprar) else {
                return;
            };
        }
    }

    /// Espera o que responda ao pedido. Um texto que não responde pode ser algo que ninguém pediu (uma
    /// saudação, um aviso em outras palavras), e a resposta ainda vir: só vale se nada melhor vier.
    fn espera_resposta(&mut self, compra: bool, enviada: Duration) -> Option<(Duration, String)> {
        let mut reserva = None;
        let mut chance = Duration::MAX;
        let mut aberta = true;
        loop {
            while let Some((quando, texto)) = self.chegadas.pop_front() {
                let mensagem = Mensagem::interpretar(texto.as_bytes());
                let responde = !matches!(Desfecho::de(compra, &mensagem), Desfecho::Estranho(_));
                if matches!(mensagem, Mensagem::Aviso(_)) {
                    self.anota_aviso(quando, texto);
                } else if responde || self.mundo.respostas_estranhas.load(Ordering::Relaxed) {
                    reserva.into_iter().for_each(|(quando, texto)| self.nao_pedida(quando, texto));
                    return Some((quando, texto));
                } else if let Some((quando, anterior)) = reserva.replace((quando, texto)) {
                    self.nao_pedida(quando, anterior);
                } else {
                    chance = self.mundo.inicio.elapsed() + OUTRA_CHANCE;
                }
            }
            let limite = self.mundo.costumes.limite(enviada).min(chance);
            // O tempo se olha sempre: um servidor que fala sem parar não prende ninguém.
            if !aberta || self.mundo.inicio.elapsed() >= limite {
                break;
            }
            aberta = self.escuta(limite);
        }
        if reserva.is_some() {
            self.mundo.respostas_estranhas.store(true, Ordering::Relaxed);
        }
        reserva
    }

    /// Ouve até este instante, ou até receber um AVISO. O que já estava aqui vale, por mais tarde que seja,
    /// e o que está pela metade tem o tempo de terminar.
    pub fn espera_aviso(&mut self, limite: Duration) {
        let tarde = limite.max(self.mundo.inicio.elapsed()) + SILENCIO_DE_QUEM_SEPARA;
        let mut aberta = self.escuta(Duration::ZERO);
        loop {
            self.guarda_o_que_chegou();
            let no_meio = self.ouvido.fim_do_silencio().is_some();
            let ate = if no_meio { tarde } else { limite };
            if !aberta || !self.avisos.is_empty() || self.mundo.inicio.elapsed() >= ate {
                return;
            }
            aberta = self.escuta(limite);
        }
    }

    /// O que já chegou, antes de pedir, não é resposta.
    fn esvazia(&mut self) {
        self.escuta(Duration::ZERO);
        self.guarda_o_que_chegou();
    }

    fn guarda_o_que_chegou(&mut self) {
        while let Some((quando, texto)) = self.chegadas.pop_front() {
            match Mensagem::interpretar(texto.as_bytes()) {
                Mensagem::Aviso(_) => self.anota_aviso(quando, texto),
                _ => self.nao_pedida(quando, texto),
            }
        }
    }

    fn nao_pedida(&mut self, quando: Duration, texto: String) {
        self.presenca().desencontro.get_or_insert(quando);
        if avisa_que_esgotou(&texto) {
            self.anota_aviso(quando, texto);
        }
    }

    fn anota_aviso(&mut self, quando: Duration, texto: String) {
        if self.avisos.len() >= AVISOS_MAXIMOS {
            return;
        }
        self.presenca().anotados_como(&texto).push(quando);
        self.avisos.push(texto);
    }

    /// Uma leitura, até `limite`; `false` se a conexão se foi. Com o limite no passado, lê o que já houver.
    fn escuta(&mut self, limite: Duration) -> bool {
        let agora = self.mundo.inicio.elapsed();
        let ate = self.ouvido.fim_do_silencio().unwrap_or(limite);
        let mut bytes = [0; 4096];
        let lido = ler(&self.socket, ate.saturating_sub(agora), &mut bytes);
        let agora = self.mundo.inicio.elapsed();
        let chegadas = &mut self.chegadas;
        let mut guarda = |quando, texto: &[u8]| {
            chegadas.push_back((quando, String::from_utf8_lossy(texto.trim_ascii()).into_owned()));
        };
        let aberta = match lido {
            Ok(0) => {
                self.ouvido.fim(guarda);
                false
            }
            Ok(n) => {
                self.ouvido.receber(agora, &bytes[..n], |texto| guarda(agora, texto));
                true
            }
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if self.ouvido.fim_do_silencio().is_some_and(|fim| fim <= agora) {
                    self.ouvido.calou(guarda);
                }
                true
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => true,
            // Quem fecha sem ler tudo o que se mandou quebra a conexão, mas o que disse antes vale.
            Err(_) => {
                self.ouvido.fim(guarda);
                false
            }
        };
        if !aberta {
            self.presenca().fechou.get_or_insert(agora);
        }
        aberta
    }

    /// Vai embora sem educação: o servidor recebe um reset.
    pub fn reseta(self) {
        let _ = SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO));
    }

    /// Avisa que não manda mais nada, e vai embora.
    pub fn desiste(self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// A história desta conexão, como a auditoria a lê, e a conexão acaba.
    pub fn conta(mut self, usuario: usize) -> Historia {
        self.historia.usuario = usuario;
        let agora = self.mundo.inicio.elapsed();
        self.presenca().fechou.get_or_insert(agora);
        self.historia
    }

    /// Um AVISO que recebeu em outras palavras que as do enunciado.
    pub fn aviso_inexato(&self) -> Option<String> {
        self.avisos.iter().find(|aviso| *aviso != AVISO).cloned()
    }
}
