//! O freguês: uma conexão que faz o que a prova manda, certo ou errado, e guarda o que ouviu. Toda
//! espera tem prazo, e nada que o servidor faça é um erro: é um fato da prova.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Mensagem};
use socket2::SockRef;

use super::banca::{Aberto, Quem};
use crate::escuta::{Escuta, Estilo, Ouvida, Papel};
use crate::historia::{AVISOS_MAXIMOS, Desfecho, Historia, Operacao, Presenca};
use crate::opcoes::FimDeLinha;
use crate::ouvido::SILENCIO_DE_QUEM_SEPARA;
use crate::parada::Parada;
use crate::sessao::{conectar, ler};

/// Quanto um servidor tem para responder. Um que funciona leva milissegundos.
pub const PRAZO: Duration = Duration::from_secs(3);

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
    /// O servidor aberto agora, se há um.
    pub aberto: Arc<Aberto>,
    /// Com que palavras este servidor responde, se não são as do enunciado. Aprende-se uma vez.
    pub estilo: Arc<Estilo>,
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
    /// O que a resposta quer dizer, nas palavras do enunciado.
    pub fn mensagem(&self) -> Option<Mensagem> {
        self.resposta.as_ref().map(|texto| Mensagem::interpretar(texto.as_bytes()))
    }

    /// O que a resposta quer dizer, também em outras palavras, se este pedido as explica.
    pub fn entendida(&self) -> Option<Mensagem> {
        let mensagem = self.mensagem()?;
        let Mensagem::Outra(texto) = &mensagem else { return Some(mensagem) };
        let compra = self.comando == Comando::Comprar;
        Some(Mensagem::em_outras_palavras(compra, texto).unwrap_or(mensagem))
    }

    /// A resposta veio letra por letra como o enunciado a escreve (§3.2)?
    pub fn ao_pe_da_letra(&self) -> bool {
        use Mensagem::{CompraSemNumero, EstoqueSemNumero, Outra};
        let conhecida = self.mensagem().filter(|mensagem| {
            !matches!(mensagem, Outra(_) | CompraSemNumero(_) | EstoqueSemNumero(_))
        });
        conhecida.is_some_and(|mensagem| Some(mensagem.to_string()) == self.resposta)
    }
}

/// Uma conexão com o servidor avaliado.
#[derive(Debug)]
pub struct Fregues<'a> {
    mundo: &'a Mundo,
    socket: Arc<TcpStream>,
    escuta: Escuta,
    /// Chegou e ainda não se usou.
    chegadas: VecDeque<Ouvida>,
    historia: Historia,
    /// As palavras dos AVISOs.
    pub avisos: Vec<String>,
    /// O que pediu e ouviu.
    pub trocas: Vec<Troca>,
}

impl<'a> Fregues<'a> {
    /// Conecta.
    ///
    /// # Errors
    ///
    /// Ninguém atende.
    pub fn conectar(mundo: &'a Mundo) -> io::Result<Self> {
        let pediu = mundo.inicio.elapsed();
        let socket = conectar(&mundo.parada, mundo.endereco, PRAZO)?;
        socket.set_write_timeout(Some(PRAZO))?;
        let conectou = mundo.inicio.elapsed();
        let presenca = Presenca { numero: 1, pediu, conectou, ..Presenca::default() };
        Ok(Fregues {
            mundo,
            socket,
            escuta: Escuta::default(),
            chegadas: VecDeque::new(),
            historia: Historia { presencas: vec![presenca], ..Historia::default() },
            avisos: Vec::new(),
            trocas: Vec::new(),
        })
    }

    /// A porta desta ponta, como o servidor a vê.
    pub fn porta(&self) -> Option<u16> {
        Some(self.socket.local_addr().ok()?.port())
    }

    /// Manda bytes. Se o servidor não os recebe, é ele quem perde.
    pub fn manda(&self, bytes: &[u8]) {
        let _ = (&*self.socket).write_all(bytes);
    }

    /// Pede e espera a resposta; o que for AVISO fica guardado.
    pub fn pede(&mut self, comando: Comando) -> Option<Mensagem> {
        self.esvazia();
        let bytes = [comando.nome(), self.mundo.fim_de_linha.bytes()].concat();
        let enviada = self.mundo.inicio.elapsed();
        let compra = comando == Comando::Comprar;
        self.escuta.pediu(compra);
        self.manda(&bytes);
        let chegada = self.espera_resposta(enviada + PRAZO);
        // Um começo que já estava aqui pode terminar agora: passa pela resposta, e o tempo não volta.
        let chegada =
            chegada.map(|(quando, texto, desfecho)| (quando.max(enviada), texto, desfecho));
        let resposta = chegada.as_ref().map(|(quando, _, desfecho)| {
            let presenca = &mut self.historia.presencas[0];
            presenca.respondida.get_or_insert(*quando);
            if matches!(desfecho, Desfecho::Estranho(_)) {
                presenca.desencontrou(enviada);
            }
            (*quando, desfecho.clone())
        });
        let fim = chegada.as_ref().map_or_else(|| self.mundo.inicio.elapsed(), |(fim, ..)| *fim);
        self.historia.operacoes.push(Operacao { presenca: 1, compra, enviada, resposta });
        let resposta = chegada.map(|(_, texto, _)| texto);
        let troca = Troca { comando, resposta, demora: fim - enviada };
        let mensagem = troca.entendida();
        self.trocas.push(troca);
        mensagem
    }

    /// Compra até ouvir que foi a última, ou outra coisa que não uma venda; no máximo `quantas`, que um
    /// servidor pode nunca dizer que acabou.
    pub fn compra_tudo(&mut self, quantas: u64) {
        for _ in 0..quantas {
            match self.pede(Comando::Comprar) {
                Some(Mensagem::Compra { restante: 1.. } | Mensagem::CompraSemNumero(_)) => {}
                _ => return,
            }
        }
    }

    /// Espera a resposta ao pedido em curso; o que vier antes dela se guarda.
    fn espera_resposta(&mut self, limite: Duration) -> Option<(Duration, String, Desfecho)> {
        let mut aberta = true;
        loop {
            while let Some(ouvida) = self.chegadas.pop_front() {
                let resposta = self.guarda(ouvida);
                if resposta.is_some() {
                    return resposta;
                }
            }
            // O tempo se olha sempre: um servidor que fala sem parar não prende ninguém.
            if !aberta || self.mundo.inicio.elapsed() >= limite {
                break;
            }
            aberta = self.escuta(limite);
        }
        let ultima = self.escuta.desistiu(&self.mundo.estilo)?;
        self.guarda(ultima)
    }

    /// Ouve até este instante, ou até receber um AVISO. O que já estava aqui vale, por mais tarde que seja,
    /// e o que está pela metade tem o tempo de terminar.
    pub fn espera_aviso(&mut self, limite: Duration) {
        let tarde = limite.max(self.mundo.inicio.elapsed()) + SILENCIO_DE_QUEM_SEPARA;
        let mut aberta = self.escuta(Duration::ZERO);
        loop {
            self.guarda_o_que_chegou();
            let no_meio = self.escuta.fim_do_silencio().is_some();
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
        while let Some(ouvida) = self.chegadas.pop_front() {
            self.guarda(ouvida);
        }
    }

    /// Anota o que chegou; se é a resposta, a devolve.
    fn guarda(&mut self, ouvida: Ouvida) -> Option<(Duration, String, Desfecho)> {
        let Ouvida { quando, texto, papel } = ouvida;
        let antes = self.antes_da_ultima();
        let presenca = &mut self.historia.presencas[0];
        match papel {
            Papel::Resposta(desfecho) => return Some((quando, texto, desfecho)),
            Papel::RespostaDeVerdade(desfecho) => {
                if let Some(operacao) = self.historia.operacoes.last_mut() {
                    operacao.resposta = Some((quando.max(operacao.enviada), desfecho));
                }
                if let Some(troca) = self.trocas.last_mut() {
                    troca.resposta = Some(texto);
                }
            }
            Papel::Aviso if self.avisos.len() < AVISOS_MAXIMOS => {
                presenca.anotados_como(&texto).push(quando);
                self.avisos.push(texto);
            }
            Papel::Aviso => {}
            // A recusa da casa cheia responde a qualquer pedido, e a nenhum dos que se conferem.
            Papel::Lotado => return Some((quando, texto.clone(), Desfecho::Estranho(texto))),
            Papel::NaoPedida { do_protocolo: true } => presenca.desencontrou(antes.min(quando)),
            Papel::NaoPedida { do_protocolo: false } => {
                presenca.desencontrou(quando);
                presenca.anotar_nao_entendido(quando, &texto);
            }
        }
        None
    }

    /// Se sobra uma resposta, a que se tomou pela última pode ter vindo antes do pedido: depois do pedido
    /// anterior, ou do começo da conexão.
    fn antes_da_ultima(&self) -> Duration {
        let anterior = self.historia.operacoes.iter().rev().nth(1);
        anterior.map_or(self.historia.presencas[0].pediu, |operacao| operacao.enviada)
    }

    /// Uma leitura, até `limite`; `false` se a conexão se foi. Com o limite no passado, lê o que já houver.
    fn escuta(&mut self, limite: Duration) -> bool {
        let agora = self.mundo.inicio.elapsed();
        let ate = self.escuta.fim_do_silencio().unwrap_or(limite);
        let mut bytes = [0; 4096];
        let lido = ler(&self.socket, ate.saturating_sub(agora), &mut bytes);
        let agora = self.mundo.inicio.elapsed();
        let estilo = &self.mundo.estilo;
        match lido {
            Ok(0) => {
                self.chegadas.extend(self.escuta.fim(estilo));
                false
            }
            Ok(n) => {
                self.chegadas.extend(self.escuta.receber(agora, &bytes[..n], estilo));
                true
            }
            Err(erro) if matches!(erro.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.chegadas.extend(self.escuta.calou(agora, estilo));
                true
            }
            Err(erro) => erro.kind() == ErrorKind::Interrupted,
        }
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
        self.historia.presencas[0].fechou = Some(self.mundo.inicio.elapsed());
        self.historia
    }

    /// Recebeu exatamente o AVISO do enunciado?
    pub fn aviso_exato(&self) -> bool {
        self.avisos.iter().all(|aviso| aviso == AVISO)
    }
}
