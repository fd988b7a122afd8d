//! O palco: o fluxo falso, o cliente do outro lado dele e o laço que entrega eventos e gira.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use servidor::balcao::{Balcao, Contas, Limites};
use servidor::conexao::Prontidao;
use servidor::estoque::Memoria;
use servidor::loja::Loja;
use servidor::registro::Registro;

/// O que o balcão fez com um fluxo, e com o de quem (pela ordem de entrada).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesto {
    Leu(usize),
    Escreveu(usize),
}

type Diario = Rc<RefCell<Vec<Gesto>>>;

/// Como está a ponta do cliente.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ponta {
    Aberta,
    Fechada,
    Quebrada,
}

/// Uma conexão em memória: o que vai e vem, o ritmo, e os eventos que o epoll ainda deve.
#[derive(Debug)]
struct Cano {
    nome: usize,
    diario: Diario,
    ida: VecDeque<u8>,
    volta: Vec<u8>,
    ponta: Ponta,
    /// Quanto chega de cada vez, quanto sai de cada vez, e quanto ainda cabe até o cliente ler.
    chegada: usize,
    gole: usize,
    cabe: usize,
    escrita_quebrada: bool,
    leitura_interrompida: bool,
    escrita_interrompida: bool,
    /// A última escrita não coube: quando couber de novo, há uma borda.
    travado: bool,
    evento_de_leitura: bool,
    evento_de_escrita: bool,
    leu_o_fim: bool,
    escrita_fechada: bool,
    /// O balcão largou o fluxo; com bytes por ler, o sistema mandaria um reset.
    largado: bool,
    largado_com_sobra: bool,
}

impl Cano {
    fn novo(nome: usize, diario: Diario) -> Self {
        Cano {
            nome,
            diario,
            ida: VecDeque::new(),
            volta: Vec::new(),
            ponta: Ponta::Aberta,
            chegada: usize::MAX,
            gole: usize::MAX,
            cabe: usize::MAX,
            escrita_quebrada: false,
            leitura_interrompida: false,
            escrita_interrompida: false,
            travado: false,
            evento_de_leitura: false,
            evento_de_escrita: false,
            leu_o_fim: false,
            escrita_fechada: false,
            largado: false,
            largado_com_sobra: false,
        }
    }

    fn ler(&mut self, destino: &mut [u8]) -> io::Result<usize> {
        self.diario.borrow_mut().push(Gesto::Leu(self.nome));
        assert!(!self.leu_o_fim, "leu depois do fim");
        if std::mem::take(&mut self.leitura_interrompida) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.ida.is_empty() {
            // No Linux, o que chegou antes de um reset ainda se lê antes do erro.
            self.leu_o_fim = self.ponta != Ponta::Aberta;
            return match self.ponta {
                Ponta::Aberta => Err(ErrorKind::WouldBlock.into()),
                Ponta::Fechada => Ok(0),
                Ponta::Quebrada => Err(ErrorKind::ConnectionReset.into()),
            };
        }
        let lidos = self.ida.len().min(destino.len()).min(self.chegada);
        for (lugar, byte) in destino.iter_mut().zip(self.ida.drain(..lidos)) {
            *lugar = byte;
        }
        // Uma leitura curta esvazia o socket: se ainda há bytes, é que chegaram logo depois.
        if lidos < destino.len() && !self.ida.is_empty() {
            self.evento_de_leitura = true;
        }
        Ok(lidos)
    }

    fn escrever(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.diario.borrow_mut().push(Gesto::Escreveu(self.nome));
        assert!(!bytes.is_empty(), "escreveu nada");
        assert!(!self.escrita_fechada, "escreveu depois de fechar a escrita");
        if std::mem::take(&mut self.escrita_interrompida) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.escrita_quebrada || self.ponta == Ponta::Quebrada {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let escritos = bytes.len().min(self.gole).min(self.cabe);
        if escritos == 0 {
            self.travado = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        self.cabe -= escritos;
        self.volta.extend_from_slice(&bytes[..escritos]);
        Ok(escritos)
    }

    /// O cliente leu, e cabem mais `bytes`. A borda só existe para quem tinha travado.
    fn abrir_espaco(&mut self, bytes: usize) {
        self.cabe = bytes;
        self.evento_de_escrita |= std::mem::take(&mut self.travado);
    }

    fn tem_evento(&self) -> bool {
        !self.largado && (self.evento_de_leitura || self.evento_de_escrita)
    }
}

/// A ponta do balcão: o que em produção é o socket do mio.
#[derive(Debug)]
pub struct FluxoFalso(Rc<RefCell<Cano>>);

impl FluxoFalso {
    fn fechar_escrita(&self) {
        let mut cano = self.0.borrow_mut();
        assert!(!cano.escrita_fechada, "fechou a escrita duas vezes");
        cano.escrita_fechada = true;
    }
}

impl Read for FluxoFalso {
    fn read(&mut self, destino: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().ler(destino)
    }
}

impl Write for FluxoFalso {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().escrever(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FluxoFalso {
    fn drop(&mut self) {
        let mut cano = self.0.borrow_mut();
        cano.largado = true;
        cano.largado_com_sobra = !cano.ida.is_empty();
    }
}

/// A ponta do cliente, que a cena comanda.
#[derive(Debug, Clone)]
pub struct Cliente {
    pub chave: usize,
    cano: Rc<RefCell<Cano>>,
}

impl Cliente {
    pub fn manda(&self, bytes: impl AsRef<[u8]>) {
        let mut cano = self.cano.borrow_mut();
        cano.ida.extend(bytes.as_ref());
        cano.evento_de_leitura |= !bytes.as_ref().is_empty();
    }

    /// Fecha o seu lado, em ordem; ainda escuta.
    pub fn fecha(&self) {
        let mut cano = self.cano.borrow_mut();
        cano.ponta = Ponta::Fechada;
        cano.evento_de_leitura = true;
    }

    /// Um reset: o epoll o anuncia legível e gravável, e as duas coisas dão erro.
    pub fn quebra(&self) {
        let mut cano = self.cano.borrow_mut();
        cano.ponta = Ponta::Quebrada;
        cano.evento_de_leitura = true;
        cano.evento_de_escrita = true;
    }

    /// A próxima escrita dará erro, mas o que já chegou ainda se lê.
    pub fn so_a_escrita_quebra(&self) {
        self.cano.borrow_mut().escrita_quebrada = true;
    }

    pub fn interrompe_uma_leitura_e_uma_escrita(&self) {
        let mut cano = self.cano.borrow_mut();
        cano.leitura_interrompida = true;
        cano.escrita_interrompida = true;
    }

    pub fn para_de_ler(&self) {
        self.cano.borrow_mut().cabe = 0;
    }

    pub fn le_so_mais(&self, bytes: usize) {
        self.cano.borrow_mut().abrir_espaco(bytes);
    }

    pub fn volta_a_ler(&self) {
        self.cano.borrow_mut().abrir_espaco(usize::MAX);
    }

    /// Cada escrita do balcão leva no máximo isto.
    pub fn le_aos_goles_de(&self, bytes: usize) {
        self.cano.borrow_mut().gole = bytes;
    }

    /// Cada leitura do balcão acha no máximo isto; o resto chega depois, com o seu evento.
    pub fn chega_aos_pedacos_de(&self, bytes: usize) {
        self.cano.borrow_mut().chegada = bytes;
    }

    /// O que ouviu desde a última vez que se perguntou.
    pub fn ouviu(&self) -> String {
        let volta = std::mem::take(&mut self.cano.borrow_mut().volta);
        String::from_utf8_lossy(&volta).into_owned()
    }

    /// O balcão ainda tem esta conexão?
    pub fn conectada(&self) -> bool {
        !self.cano.borrow().largado
    }

    /// O balcão já disse a última palavra a esta conexão?
    pub fn viu_o_fim(&self) -> bool {
        let cano = self.cano.borrow();
        cano.escrita_fechada || cano.largado
    }

    /// O balcão fechou com bytes por ler? O sistema mandaria um reset, que pode apagar a última
    /// resposta.
    pub fn levou_reset(&self) -> bool {
        self.cano.borrow().largado_com_sobra
    }
}

/// O balcão de produção, com um laço que entrega eventos por borda e um relógio de mão.
pub struct Mesa {
    balcao: Balcao<FluxoFalso>,
    registro: Registro,
    agora: Instant,
    clientes: Vec<Cliente>,
    diario: Diario,
}

impl Mesa {
    pub fn com_estoque(estoque: u64) -> Self {
        Mesa::com_limites(
            estoque,
            Limites { conexoes: 1000, por_endereco: None, ocioso: None, memoria: usize::MAX },
        )
    }

    pub fn com_limites(estoque: u64, limites: Limites) -> Self {
        let agora = Instant::now();
        let fechar_escrita = FluxoFalso::fechar_escrita;
        Mesa {
            balcao: Balcao::novo(Loja::nova(estoque), limites, agora, fechar_escrita),
            registro: Registro::mudo(),
            agora,
            clientes: Vec::new(),
            diario: Diario::default(),
        }
    }

    pub fn entra(&mut self) -> Cliente {
        self.entra_de(IpAddr::from([127, 0, 0, 1]))
    }

    /// Entra mais um, deste IP.
    pub fn entra_de(&mut self, ip: IpAddr) -> Cliente {
        let nome = self.clientes.len();
        let cano = Rc::new(RefCell::new(Cano::novo(nome, Rc::clone(&self.diario))));
        let cliente = Cliente { chave: self.balcao.proxima_chave(), cano: Rc::clone(&cano) };
        let endereco = SocketAddr::new(ip, 12346);
        self.balcao.admitir(FluxoFalso(cano), endereco, self.agora, &mut self.registro);
        self.clientes.push(cliente.clone());
        cliente
    }

    /// Uma volta do laço: os eventos que houver, e o turno.
    pub fn turno(&mut self) {
        self.entrega_eventos();
        self.so_o_turno();
    }

    /// Marca, como o epoll por borda: só quem tem novidade, e cada novidade uma vez só.
    pub fn entrega_eventos(&mut self) {
        self.diario.borrow_mut().clear();
        for cliente in &self.clientes {
            let mut cano = cliente.cano.borrow_mut();
            if cano.tem_evento() {
                let novidade = Prontidao {
                    legivel: std::mem::take(&mut cano.evento_de_leitura),
                    gravavel: std::mem::take(&mut cano.evento_de_escrita),
                    ler_ate_secar: cano.ponta != Ponta::Aberta,
                };
                drop(cano);
                self.balcao.marcar(cliente.chave, novidade);
            }
        }
        assert!(self.diario.borrow().is_empty(), "marcar leu ou escreveu");
    }

    /// O turno, sem entregar os eventos que chegaram depois de [`Mesa::entrega_eventos`].
    pub fn so_o_turno(&mut self) {
        self.diario.borrow_mut().clear();
        let agora = self.agora;
        let Ok(()) = self.balcao.turno(agora, &mut self.registro, &mut Memoria);
        self.conferir_turno();
    }

    /// O que vale em todo turno: ninguém é lido duas vezes, e nada se lê depois de se escrever.
    fn conferir_turno(&self) {
        let diario = self.diario.borrow();
        let leu = |gesto: &Gesto| matches!(gesto, Gesto::Leu(_));
        let leituras = diario.iter().take_while(|gesto| leu(gesto)).count();
        let (lidos, escritos) = diario.split_at(leituras);
        assert!(!escritos.iter().any(leu), "leu depois de escrever: {diario:?}");
        let mut vistos = std::collections::HashSet::new();
        for gesto in lidos {
            let Gesto::Leu(nome) = gesto else { continue };
            assert!(vistos.insert(nome), "leu {nome} duas vezes no turno");
        }
    }

    /// Um evento inventado, que nenhum fluxo causou.
    pub fn marca(&mut self, chave: usize, novidade: Prontidao) {
        self.balcao.marcar(chave, novidade);
    }

    /// Gira como o laço giraria sem dormir: até não haver evento nem trabalho.
    pub fn gira(&mut self) {
        for _ in 0..10_000 {
            self.turno();
            let ha_eventos = self.clientes.iter().any(|c| c.cano.borrow().tem_evento());
            if !ha_eventos && !self.balcao.tem_trabalho() {
                return;
            }
        }
        unreachable!("o balcão não sossega");
    }

    /// O tempo passa e o laço dorme, acordando só quando o balcão pediu.
    pub fn espera(&mut self, tempo: Duration) {
        let ate = self.agora + tempo;
        while let Some(prazo) = self.balcao.proximo_prazo().filter(|prazo| *prazo <= ate) {
            self.agora = self.agora.max(prazo);
            self.gira();
            assert!(self.balcao.proximo_prazo() > Some(prazo) || self.vazio(), "não dorme");
        }
        self.agora = ate;
    }

    /// O tempo passa sem que o laço consiga girar.
    pub fn passa(&mut self, tempo: Duration) {
        self.agora += tempo;
    }

    pub fn encerra(&mut self) {
        self.balcao.encerrar();
    }

    /// O que o balcão fez com os fluxos no último turno, na ordem.
    pub fn gestos(&self) -> Vec<Gesto> {
        self.diario.borrow().clone()
    }

    pub fn tem_trabalho(&self) -> bool {
        self.balcao.tem_trabalho()
    }

    pub fn guardados(&self) -> usize {
        self.balcao.guardados()
    }

    pub fn vazio(&self) -> bool {
        self.balcao.vazio()
    }

    pub fn ativas(&self) -> usize {
        self.balcao.ativas()
    }

    pub fn contas(&self) -> Contas {
        self.balcao.contas()
    }

    pub fn vendas(&self) -> u64 {
        self.balcao.loja().vendas()
    }
}
