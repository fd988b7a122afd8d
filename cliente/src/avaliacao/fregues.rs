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
use super::costumes::{Costumes, PRAZO};
use crate::conversa::desfecho::Desfecho;
use crate::conversa::enquadrador::SILENCIO_DE_QUEM_SEPARA;
use crate::conversa::escuta::{Escuta, Estilo, Ouvida, Papel};
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::conversa::parada::Parada;
use crate::historia::vivido::{AVISOS_MAXIMOS, Historia, Operacao, Presenca};
use crate::multidao::sessao::{conectar, ler};

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
    /// O servidor aberto agora, se há um.
    pub aberto: Arc<Aberto>,
    /// Com que palavras este servidor responde, se não são as do enunciado. Aprende-se uma vez.
    pub estilo: Arc<Estilo>,
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
    /// O que a resposta quer dizer, nas palavras do enunciado.
    pub fn mensagem(&self) -> Option<Mensagem> {
        self.resposta.as_ref().map(|texto| Mensagem::interpretar(texto.as_bytes()))
    }

    /// O que a resposta diz a quem fez este pedido.
    fn desfecho(&self) -> Option<Desfecho> {
        let compra = self.comando == Comando::Comprar;
        self.mensagem().map(|mensagem| Desfecho::de(compra, &mensagem))
    }

    /// A resposta responde ao que se pediu, e se entende?
    pub fn se_entende(&self) -> bool {
        self.desfecho().is_some_and(|desfecho| !matches!(desfecho, Desfecho::Estranho(_)))
    }

    /// Foi uma venda?
    pub fn vendeu(&self) -> bool {
        self.desfecho().is_some_and(|desfecho| desfecho.vendeu())
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
    escuta: Escuta,
    /// Chegou e ainda não se usou.
    chegadas: VecDeque<Ouvida>,
    historia: Historia,
    /// Se o servidor fecha a conexão, conecta de novo para o pedido seguinte?
    pub volta: bool,
    /// As palavras dos AVISOs.
    pub avisos: Vec<String>,
    /// Quando chegou cada AVISO.
    pub ouvidos: Vec<Duration>,
    /// O que pediu e ouviu.
    pub trocas: Vec<Troca>,
    /// Respostas do protocolo que chegaram sem pedido.
    pub sobras: usize,
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
            escuta: Escuta::default(),
            chegadas: VecDeque::new(),
            historia: Historia { presencas: vec![presenca], ..Historia::default() },
            volta: mundo.costumes.fecha(),
            avisos: Vec::new(),
            ouvidos: Vec::new(),
            trocas: Vec::new(),
            sobras: 0,
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
            self.escuta = Escuta::default();
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
        // O que está pela metade tem o tempo de terminar.
        let no_meio = |este: &Self| este.escuta.fim_do_silencio().is_some();
        while self.escuta(limite) && (self.mundo.inicio.elapsed() < limite || no_meio(self)) {}
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
        let compra = comando == Comando::Comprar;
        self.escuta.pediu(compra);
        self.manda(&bytes);
        let chegada = self.espera_resposta(enviada);
        // Um começo que já estava aqui pode terminar agora: passa pela resposta, e o tempo não volta.
        let chegada =
            chegada.map(|(quando, texto, desfecho)| (quando.max(enviada), texto, desfecho));
        let resposta = chegada.as_ref().map(|(quando, _, desfecho)| {
            let presenca = self.presenca();
            presenca.respondida.get_or_insert(*quando);
            if matches!(desfecho, Desfecho::Estranho(_)) {
                presenca.desencontrou(enviada);
            }
            (*quando, desfecho.clone())
        });
        let fim = chegada.as_ref().map_or_else(|| self.mundo.inicio.elapsed(), |(fim, ..)| *fim);
        let presenca = self.presenca().numero;
        self.historia.operacoes.push(Operacao { presenca, compra, enviada, resposta });
        let resposta = chegada.map(|(_, texto, _)| texto);
        let troca = Troca { comando, resposta, demora: fim - enviada };
        let mensagem = troca.entendida();
        self.trocas.push(troca);
        if mensagem.is_some() {
            self.mundo.costumes.respondeu(fim);
            if self.mundo.costumes.fecha() {
                self.espera_fechar(ATE_FECHAR);
            }
        }
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
    fn espera_resposta(&mut self, enviada: Duration) -> Option<(Duration, String, Desfecho)> {
        let mut aberta = true;
        // Depois do primeiro pedido já não é uma saudação: um texto que chega junto com a resposta, antes
        // dela, é parte dela. Letra por letra é a resposta inteira.
        let conversava = self.trocas.iter().any(|troca| troca.resposta.is_some());
        let mut junto: Option<(Duration, String)> = None;
        loop {
            while let Some(ouvida) = self.chegadas.pop_front() {
                if conversava && ouvida.papel == (Papel::NaoPedida { do_protocolo: false }) {
                    junto = Some((ouvida.quando, ouvida.texto.clone()));
                }
                let resposta = self.guarda(ouvida);
                if let Some((quando, texto, desfecho)) = resposta {
                    let antes = junto.filter(|(chegou, _)| *chegou == quando);
                    let antes = antes.map(|(_, antes)| antes + " ").unwrap_or_default();
                    return Some((quando, antes + &texto, desfecho));
                }
            }
            let limite = self.mundo.costumes.limite(enviada);
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
        let cabe = self.avisos.len() < AVISOS_MAXIMOS;
        let presenca = self.presenca();
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
            Papel::Aviso if cabe => {
                presenca.anotados_como(&texto).push(quando);
                self.ouvidos.push(quando);
                self.avisos.push(texto);
            }
            Papel::Aviso => {}
            // A recusa da casa cheia responde a qualquer pedido, e a nenhum dos que se conferem.
            Papel::Lotado => return Some((quando, texto.clone(), Desfecho::Estranho(texto))),
            Papel::NaoPedida { do_protocolo: true } => {
                presenca.desencontrou(antes.min(quando));
                self.sobras += 1;
            }
            Papel::NaoPedida { do_protocolo: false } => {
                presenca.desencontrou(quando);
                presenca.anotar_nao_entendido(quando, &texto);
            }
        }
        None
    }

    /// Se sobra uma resposta, a que se tomou pela última pode ter vindo antes do pedido: depois do pedido
    /// anterior, ou do começo da conexão.
    fn antes_da_ultima(&mut self) -> Duration {
        let agora = self.presenca();
        let (numero, pediu) = (agora.numero, agora.pediu);
        let daqui = |operacao: &&Operacao| operacao.presenca == numero;
        let anterior = self.historia.operacoes.iter().rev().filter(daqui).nth(1);
        anterior.map_or(pediu, |operacao| operacao.enviada)
    }

    /// Uma leitura, até `limite`; `false` se a conexão se foi. Com o limite no passado, lê o que já houver.
    fn escuta(&mut self, limite: Duration) -> bool {
        let agora = self.mundo.inicio.elapsed();
        let ate = self.escuta.fim_do_silencio().unwrap_or(limite);
        let mut bytes = [0; 4096];
        let lido = ler(&self.socket, ate.saturating_sub(agora), &mut bytes);
        let agora = self.mundo.inicio.elapsed();
        let estilo = &self.mundo.estilo;
        let aberta = match lido {
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
            Err(erro) if erro.kind() == ErrorKind::Interrupted => true,
            // Quem fecha sem ler tudo o que se mandou quebra a conexão, mas o que disse antes vale.
            Err(_) => {
                self.chegadas.extend(self.escuta.fim(estilo));
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

    /// Um AVISO que recebeu em outras palavras que as do enunciado. O que veio colado depois das certas não é
    /// dele.
    pub fn aviso_inexato(&self) -> Option<String> {
        self.avisos.iter().find(|aviso| !aviso.starts_with(AVISO)).cloned()
    }
}
