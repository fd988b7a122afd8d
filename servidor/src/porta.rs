//! A porta: onde se escuta, e o que se pede ao sistema de cada conexão. Só a reserva; quem escuta e aceita é
//! o [reator](crate::reator).
//!
//! Sem `--endereco`, um socket só atende as duas famílias: ele é do IPv6, e quem vem por IPv4 chega a ele com
//! um endereço (`::ffff:127.0.0.1`) que o reator desfaz. Por isso a porta é a mesma nas duas, também quando é
//! o sistema que a escolhe.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::sistema;

/// Quem se cala assim tanto é perguntado se ainda está lá, de tanto em tanto tempo (keepalive).
const CALADO: Duration = Duration::from_secs(10);
const ENTRE_PERGUNTAS: Duration = Duration::from_secs(5);

/// Quem não confirma nada por este tempo, nem as respostas que lhe mandamos nem as perguntas, já não
/// está lá. Também é assim com quem deixa de ler e tem respostas que já são do sistema, e não nossas: por
/// isso é mais do que [`PRAZO_DA_SAIDA`](crate::conexao::PRAZO_DA_SAIDA), que é quem fecha os outros.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SUMIDO: Duration = Duration::from_secs(40);

/// Um endereço reservado, ainda sem escutar: quem conectar é recusado, em vez de esperar por quem talvez não
/// abra.
#[derive(Debug)]
pub struct Porta {
    pub(crate) socket: Socket,
    familias: Familias,
}

/// Por onde se chega a uma porta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Familias {
    /// Pelo endereço que se pediu, e mais nenhum.
    Uma,
    /// Por IPv4 e por IPv6.
    Ambas,
    /// Pediram-se as duas, e o sistema não tem IPv6.
    SoIpv4,
}

impl Porta {
    /// Reserva este endereço, e só ele: `::` não atende quem vem por IPv4.
    ///
    /// # Errors
    ///
    /// O endereço está em uso, não é desta máquina ou não é permitido.
    pub fn em(endereco: SocketAddr) -> io::Result<Self> {
        Ok(Porta { socket: reservar(endereco, Familias::Uma)?, familias: Familias::Uma })
    }

    /// Reserva a porta em todos os endereços, por IPv4 e por IPv6. Em um sistema sem IPv6, só por IPv4.
    ///
    /// # Errors
    ///
    /// Outro programa tem a porta, em uma das duas famílias que seja: quem chegasse por ela falaria com ele. Ou
    /// a porta não é permitida.
    pub fn em_toda_parte(porta: u16) -> io::Result<Self> {
        let (socket, familias) = em_toda_parte(porta, reservar)?;
        Ok(Porta { socket, familias })
    }

    /// Este endereço já é desta porta? O sistema só o diria ao escutar: até ali, deixa reservar as duas.
    ///
    /// # Errors
    ///
    /// O sistema não sabe onde ela está.
    pub fn inclui(&self, outro: SocketAddr) -> io::Result<bool> {
        let endereco = self.onde()?.endereco;
        let os_dois = |ip: IpAddr| ip == endereco.ip() || ip == outro.ip();
        let de_todos = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let mesma_familia =
            self.familias == Familias::Ambas || endereco.is_ipv4() == outro.is_ipv4();
        let mesmo_ip = endereco.ip() == outro.ip() || de_todos.into_iter().any(os_dois);
        Ok(endereco.port() == outro.port() && mesma_familia && mesmo_ip)
    }

    /// Onde se escuta, como se diz ao operador; depois de se escutar, com a porta que o sistema escolheu.
    ///
    /// # Errors
    ///
    /// O sistema não sabe.
    pub(crate) fn onde(&self) -> io::Result<Onde> {
        let sem_endereco = || io::Error::from(ErrorKind::AddrNotAvailable);
        let endereco = self.socket.local_addr()?.as_socket().ok_or_else(sem_endereco)?;
        Ok(Onde { endereco, familias: self.familias })
    }
}

/// Onde se escuta.
#[derive(Debug, Clone, Copy)]
pub struct Onde {
    endereco: SocketAddr,
    familias: Familias,
}

impl Onde {
    /// A linha de abertura, com as unidades à venda.
    pub fn abertura(&self, estoque: u64) -> String {
        let onde = match self.familias {
            Familias::Ambas => {
                format!("0.0.0.0:{porta} e [::]:{porta}", porta = self.endereco.port())
            }
            Familias::Uma | Familias::SoIpv4 => self.endereco.to_string(),
        };
        let falta = match self.familias {
            Familias::SoIpv4 => "; só por IPv4: este sistema não tem IPv6",
            Familias::Uma | Familias::Ambas => "",
        };
        format!("servidor: ouvindo em {onde} (estoque: {estoque}{falta})")
    }
}

/// A escolha de [`Porta::em_toda_parte`], com o que abre um socket.
fn em_toda_parte<T>(
    porta: u16,
    mut abrir: impl FnMut(SocketAddr, Familias) -> io::Result<T>,
) -> io::Result<(T, Familias)> {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), porta);
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), porta);
    let negada = |erro: &io::Error| {
        matches!(erro.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
    };
    // O macOS deixa um socket das duas famílias ao lado de um de IPv4 na mesma porta, e quem chegasse por IPv4
    // iria ao outro programa: primeiro se vê se a porta está livre ali. Sem IPv4 nenhum, não há quem a tenha.
    if let Some(erro) = abrir(v4, Familias::Uma).err().filter(negada) {
        return Err(erro);
    }
    match abrir(v6, Familias::Ambas) {
        Ok(socket) => Ok((socket, Familias::Ambas)),
        Err(erro) if negada(&erro) => Err(erro),
        Err(_) => Ok((abrir(v4, Familias::Uma)?, Familias::SoIpv4)),
    }
}

fn reservar(endereco: SocketAddr, familias: Familias) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(endereco), Type::STREAM, Some(Protocol::TCP))?;
    sistema::porta_so_nossa(&socket)?;
    if endereco.is_ipv6() {
        // O padrão muda de um sistema para outro, e no Linux é o administrador quem o escolhe.
        socket.set_only_v6(familias == Familias::Uma)?;
    }
    socket.set_nonblocking(true)?;
    vigiar_o_caminho(&socket)?;
    socket.bind(&endereco.into())?;
    Ok(socket)
}

/// Quem some sem se despedir (a máquina que desliga, o cabo que sai, a rede que muda) não manda um
/// fim: só perguntando se sabe que já não está lá. O que se pede aqui vale para cada conexão aceita.
fn vigiar_o_caminho(socket: &Socket) -> io::Result<()> {
    let perguntas = TcpKeepalive::new().with_time(CALADO).with_interval(ENTRE_PERGUNTAS);
    socket.set_tcp_keepalive(&perguntas)?;
    // Onde não há isto, quem tem respostas por confirmar espera o que o sistema quiser.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(SUMIDO))?;
    Ok(())
}

#[cfg(test)]
mod testes {
    use super::*;

    /// O que se abriu, de um sistema em que a família de cada endereço está assim.
    fn abrir(v4: Option<ErrorKind>, v6: Option<ErrorKind>) -> Result<(bool, Familias), ErrorKind> {
        let um = |endereco: SocketAddr, _| {
            let falha = if endereco.is_ipv6() { v6 } else { v4 };
            falha.map_or(Ok(endereco.is_ipv6()), |falha| Err(falha.into()))
        };
        em_toda_parte(80, um).map_err(|erro| erro.kind())
    }

    #[test]
    fn sem_ipv6_atende_por_ipv4_e_diz_que_so_por_ele() {
        assert_eq!(abrir(None, Some(ErrorKind::Unsupported)), Ok((false, Familias::SoIpv4)));
        let endereco = SocketAddr::from(([0, 0, 0, 0], 80));
        let dito = Onde { endereco, familias: Familias::SoIpv4 }.abertura(3);
        assert_eq!(
            dito,
            "servidor: ouvindo em 0.0.0.0:80 (estoque: 3; só por IPv4: este sistema não tem IPv6)"
        );
    }

    #[test]
    fn sem_ipv4_atende_por_ipv6() {
        assert_eq!(abrir(Some(ErrorKind::Unsupported), None), Ok((true, Familias::Ambas)));
    }

    #[test]
    fn a_porta_que_outro_programa_tem_em_uma_das_familias_e_um_erro() {
        for ocupada in [ErrorKind::AddrInUse, ErrorKind::PermissionDenied] {
            assert_eq!(abrir(Some(ocupada), None), Err(ocupada));
            assert_eq!(abrir(None, Some(ocupada)), Err(ocupada));
        }
    }
}
