//! A sonda: uma conexão que faz o que a prova manda, certo ou errado, e guarda o que ouviu. Toda
//! espera tem prazo, e nada que o servidor faça é um erro: é um fato da prova.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use protocolo::mensagem::AVISO;
use protocolo::{Comando, Mensagem};

use super::alvo::Alvo;
use super::costumes::PRAZO;
use crate::conversa::desfecho::Desfecho;
use crate::conversa::enquadrador::SILENCIO_DE_QUEM_SEPARA;
use crate::conversa::escuta::{Ouvida, Papel};
use crate::conversa::ligacao::{Chegada, Ligacao};
use crate::historia::vivido::{AVISOS_MAXIMOS, Conexao, Historia, Operacao};

/// De quem fecha a conexão depois de responder, quanto se espera que feche.
const ATE_FECHAR: Duration = Duration::from_millis(100);

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

/// Um pedido que já partiu.
#[derive(Debug)]
pub struct Pedido {
    comando: Comando,
    enviada: Duration,
}

/// Conecta, pela vez de número `numero` desta sonda.
fn entrar(alvo: &Alvo, numero: u32) -> io::Result<(Ligacao, Conexao)> {
    let pediu = alvo.inicio.elapsed();
    let ligacao = Ligacao::abrir(&alvo.parada, alvo.endereco, PRAZO)?;
    ligacao.limitar_o_envio(PRAZO)?;
    let conectou = alvo.inicio.elapsed();
    Ok((ligacao, Conexao { numero, pediu, conectou, ..Conexao::default() }))
}

/// Uma conexão com o servidor avaliado.
#[derive(Debug)]
pub struct Sonda<'a> {
    alvo: &'a Alvo,
    ligacao: Ligacao,
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

impl<'a> Sonda<'a> {
    /// Conecta.
    ///
    /// # Errors
    ///
    /// Ninguém atende.
    pub fn conectar(alvo: &'a Alvo) -> io::Result<Self> {
        let (ligacao, conexao) = entrar(alvo, 1)?;
        let mut sonda = Sonda {
            alvo,
            ligacao,
            chegadas: VecDeque::new(),
            historia: Historia { conexoes: vec![conexao], ..Historia::default() },
            volta: alvo.costumes.fecha(),
            avisos: Vec::new(),
            ouvidos: Vec::new(),
            trocas: Vec::new(),
            sobras: 0,
            portas: Vec::new(),
        };
        sonda.anota_a_porta();
        Ok(sonda)
    }

    /// Conecta de novo, se o servidor fechou a conexão e é o caso de voltar. Se não se consegue, a conexão
    /// continua fechada.
    pub fn volta_se_preciso(&mut self) {
        self.esvazia();
        let numero = self.conexao().numero + 1;
        if !(self.volta && self.fechada()) {
            return;
        }
        if let Ok((ligacao, conexao)) = entrar(self.alvo, numero) {
            self.ligacao = ligacao;
            self.historia.conexoes.push(conexao);
            self.anota_a_porta();
        }
    }

    /// O servidor fechou esta conexão?
    pub fn fechada(&self) -> bool {
        self.historia.conexoes.last().is_some_and(|conexao| conexao.fechou.is_some())
    }

    /// Espera até `quanto` que o servidor feche a conexão, e diz se a fechou. O que chegar fica guardado.
    pub fn espera_fechar(&mut self, quanto: Duration) -> bool {
        let limite = self.alvo.inicio.elapsed() + quanto;
        // O que está pela metade tem o tempo de terminar, mas um servidor que fala sem parar não prende ninguém.
        let tarde = limite + SILENCIO_DE_QUEM_SEPARA;
        let ate = |este: &Self| if este.ligacao.no_meio() { tarde } else { limite };
        while self.escuta(limite) && self.alvo.inicio.elapsed() < ate(self) {}
        self.anota_o_que_chegou();
        self.fechada()
    }

    /// Já ouviu, nesta conexão, algo que não pediu? Espera até `quanto` que termine de chegar.
    pub fn esta_dessincronizada(&mut self, quanto: Duration) -> bool {
        self.espera_fechar(quanto);
        self.conexao().dessincronizada_desde.is_some()
    }

    /// A conexão de agora. Há sempre uma.
    fn conexao(&mut self) -> &mut Conexao {
        let ultima = self.historia.conexoes.len() - 1;
        &mut self.historia.conexoes[ultima]
    }

    /// As portas desta ponta, uma por conexão, como o servidor as viu.
    pub fn portas(&self) -> &[u16] {
        &self.portas
    }

    fn anota_a_porta(&mut self) {
        self.portas.extend(self.ligacao.porta());
    }

    /// Manda bytes. Se o servidor não os recebe, é ele quem perde.
    pub fn manda(&self, bytes: &[u8]) {
        let _ = self.ligacao.mandar(bytes);
    }

    /// Pede e espera a resposta; o que for AVISO fica guardado.
    pub fn pede(&mut self, comando: Comando) -> Option<Mensagem> {
        let pedido = self.manda_o_pedido(comando);
        self.conclui(pedido)
    }

    /// Pede, e espera só que alguma coisa comece a chegar; `None` se nada chega no prazo. Assim quem pede por muitos não
    /// espera, a cada um, o silêncio que termina uma resposta sem fim de linha.
    pub fn comeca_a_pedir(&mut self, comando: Comando) -> Option<Pedido> {
        let pedido = self.manda_o_pedido(comando);
        let comecou = |este: &Self| !este.chegadas.is_empty() || este.ligacao.no_meio();
        let mut aberta = true;
        while !comecou(self) {
            let limite = self.alvo.costumes.limite(pedido.enviada);
            if !aberta || self.alvo.inicio.elapsed() >= limite {
                return None;
            }
            aberta = self.escuta(limite);
        }
        self.alvo.costumes.respondeu(self.alvo.inicio.elapsed());
        Some(pedido)
    }

    fn manda_o_pedido(&mut self, comando: Comando) -> Pedido {
        self.volta_se_preciso();
        let enviada = self.alvo.inicio.elapsed();
        // Se o servidor não o recebe, é ele quem perde.
        let _ = self.ligacao.pedir(&comando, self.alvo.fim_de_linha);
        Pedido { comando, enviada }
    }

    /// Espera a resposta inteira a este pedido, que é o último. O prazo conta de agora: o que já começou a chegar tem tempo de
    /// acabar, por mais que se tenha feito entretanto.
    pub fn conclui(&mut self, pedido: Pedido) -> Option<Mensagem> {
        let Pedido { comando, enviada } = pedido;
        let compra = comando == Comando::Comprar;
        let chegada = self.espera_resposta(self.alvo.inicio.elapsed());
        // Um começo que já estava aqui pode terminar agora: passa pela resposta, e o tempo não volta.
        let chegada =
            chegada.map(|(quando, texto, desfecho)| (quando.max(enviada), texto, desfecho));
        let resposta = chegada.as_ref().map(|(quando, _, desfecho)| {
            let conexao = self.conexao();
            conexao.respondida.get_or_insert(*quando);
            if matches!(desfecho, Desfecho::Estranho(_)) {
                conexao.dessincronizou(enviada);
            }
            (*quando, desfecho.clone())
        });
        let fim = chegada.as_ref().map_or_else(|| self.alvo.inicio.elapsed(), |(fim, ..)| *fim);
        let conexao = self.conexao().numero;
        self.historia.operacoes.push(Operacao {
            conexao,
            compra,
            enviada,
            resposta,
            ..Operacao::default()
        });
        let resposta = chegada.map(|(_, texto, _)| texto);
        let troca = Troca { comando, resposta, demora: fim - enviada };
        let mensagem = troca.entendida();
        self.trocas.push(troca);
        if mensagem.is_some() {
            self.alvo.costumes.respondeu(fim);
            if self.alvo.costumes.fecha() {
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

    /// Espera a resposta ao pedido em curso, com o prazo a contar de `desde`; o que vier antes dela se guarda.
    fn espera_resposta(&mut self, desde: Duration) -> Option<(Duration, String, Desfecho)> {
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
                let resposta = self.anota(ouvida);
                if let Some((quando, texto, desfecho)) = resposta {
                    let antes = junto.filter(|(chegou, _)| *chegou == quando);
                    let antes = antes.map(|(_, antes)| antes + " ").unwrap_or_default();
                    return Some((quando, antes + &texto, desfecho));
                }
            }
            let limite = self.alvo.costumes.limite(desde);
            // O tempo se olha sempre: um servidor que fala sem parar não prende ninguém.
            if !aberta || self.alvo.inicio.elapsed() >= limite {
                break;
            }
            aberta = self.escuta(limite);
        }
        let ultima = self.ligacao.desistir(&self.alvo.estilo)?;
        self.anota(ultima)
    }

    /// Ouve até este instante, ou até receber um AVISO. O que já estava aqui vale, por mais tarde que seja,
    /// e o que está pela metade tem o tempo de terminar.
    pub fn espera_aviso(&mut self, limite: Duration) {
        let tarde = limite.max(self.alvo.inicio.elapsed()) + SILENCIO_DE_QUEM_SEPARA;
        let mut aberta = self.escuta(Duration::ZERO);
        loop {
            self.anota_o_que_chegou();
            let no_meio = self.ligacao.no_meio();
            let ate = if no_meio { tarde } else { limite };
            if !aberta || !self.avisos.is_empty() || self.alvo.inicio.elapsed() >= ate {
                return;
            }
            aberta = self.escuta(limite);
        }
    }

    /// O que já chegou, antes de pedir, não é resposta.
    fn esvazia(&mut self) {
        self.escuta(Duration::ZERO);
        self.anota_o_que_chegou();
    }

    fn anota_o_que_chegou(&mut self) {
        while let Some(ouvida) = self.chegadas.pop_front() {
            self.anota(ouvida);
        }
    }

    /// Anota o que chegou; se é a resposta, a devolve.
    fn anota(&mut self, ouvida: Ouvida) -> Option<(Duration, String, Desfecho)> {
        let Ouvida { quando, texto, papel } = ouvida;
        let cabe = self.avisos.len() < AVISOS_MAXIMOS;
        let conexao = self.conexao();
        match papel {
            Papel::Resposta(desfecho) => return Some((quando, texto, desfecho)),
            Papel::RespostaDeVerdade(desfecho) => {
                self.historia.corrigir_a_ultima(quando, desfecho);
                if let Some(troca) = self.trocas.last_mut() {
                    troca.resposta = Some(texto);
                }
            }
            Papel::Aviso if cabe => {
                conexao.anotados_como(&texto).push(quando);
                self.ouvidos.push(quando);
                self.avisos.push(texto);
            }
            Papel::Aviso => {}
            // A recusa da casa cheia responde a qualquer pedido, e a nenhum dos que se conferem.
            Papel::Lotado => return Some((quando, texto.clone(), Desfecho::Estranho(texto))),
            Papel::NaoPedida { do_protocolo } => {
                self.historia.anotar_nao_pedida(quando, &texto, do_protocolo);
                self.sobras += usize::from(do_protocolo);
            }
        }
        None
    }

    /// Uma leitura, até `limite`; `false` se a conexão se foi. Com o limite no passado, lê o que já houver.
    fn escuta(&mut self, limite: Duration) -> bool {
        let chegada = self.ligacao.ouvir(self.alvo.inicio, limite, &self.alvo.estilo);
        let (ouvidas, aberta) = match chegada {
            Chegada::Bytes(ouvidas) | Chegada::Silencio(ouvidas) => (ouvidas, true),
            Chegada::Nada => return true,
            Chegada::Fim(ouvidas, _) => (ouvidas, false),
        };
        self.chegadas.extend(ouvidas);
        if !aberta {
            let agora = self.alvo.inicio.elapsed();
            self.conexao().fechou.get_or_insert(agora);
        }
        aberta
    }

    /// Vai embora sem educação: o servidor recebe um reset.
    pub fn reseta(self) {
        self.ligacao.resetar();
    }

    /// Avisa que não manda mais nada, e vai embora.
    pub fn desiste(self) {
        self.ligacao.despedir();
    }

    /// A história desta conexão, como a auditoria a lê, e a conexão acaba.
    pub fn historia(mut self, usuario: usize) -> Historia {
        self.historia.usuario = usuario;
        let agora = self.alvo.inicio.elapsed();
        self.conexao().fechou.get_or_insert(agora);
        self.historia
    }

    /// Um AVISO que recebeu em outras palavras que as do enunciado. O que veio colado depois das certas não é
    /// dele.
    pub fn aviso_inexato(&self) -> Option<String> {
        self.avisos.iter().find(|aviso| !aviso.starts_with(AVISO)).cloned()
    }
}
