//! O filtro: as chamadas ao sistema que o programa do aluno não faz, porque gastariam memória que não é de nenhum
//! processo, e que por isso o [`vigia`](super::vigia) não vê, ou sairiam da rede da cela. O bubblewrap lê-o de um
//! descritor, e o sistema o executa a cada chamada.
//!
//! Recusa-se como um sistema que não tem a chamada: quem a usa por gosto tem outra.

/// O que o bash executa para abrir a cela com o filtro no descritor 3.
pub fn abrir_com_filtro() -> String {
    let filtro: String = bytes().iter().map(|byte| format!("\\{byte:03o}")).collect();
    if filtro.is_empty() {
        return r#"exec bwrap "$@""#.into();
    }
    // Em dois passos, para que o bash feche o cano de que o descritor é cópia.
    format!(r#"exec 3< <(printf '{filtro}'); exec bwrap --seccomp 3 "$@""#)
}

/// Só no Linux há celas, e o filtro só se conhece em 64 bits.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn bytes() -> Vec<u8> {
    Vec::new()
}

/// As instruções, como o sistema as lê (seccomp(2)); nenhuma, em um processador de que não se sabem as chamadas.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn bytes() -> Vec<u8> {
    let instrucoes = linux::programa().unwrap_or_default();
    let em_bytes = instrucoes.into_iter().flat_map(|instrucao| {
        let [baixo, alto] = instrucao.code.to_ne_bytes();
        let pulos = [baixo, alto, instrucao.jt, instrucao.jf];
        pulos.into_iter().chain(instrucao.k.to_ne_bytes())
    });
    em_bytes.collect()
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux {
    use libc::{
        AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, SYS_io_uring_setup, SYS_memfd_create, SYS_shmget,
        SYS_socket,
    };
    use seccompiler::SeccompCmpArgLen::{Dword, Qword};
    use seccompiler::SeccompCmpOp::{Gt, Ne};
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule,
    };

    /// Quanto pode ter um bloco de memória do System V: chega a um estoque, e o sistema só dá 4096 deles.
    const BLOCO: u64 = 256 * 1024;

    /// As redes que a cela isola, e as perguntas ao próprio sistema.
    const REDES: [i32; 4] = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];

    /// As mesmas chamadas têm outro número para quem usa ponteiros de 32 bits (o x32, que o mesmo processador entende).
    const X32: i64 = 0x4000_0000;

    pub fn programa() -> Result<BpfProgram, BackendError> {
        let outra_rede = REDES.map(|rede| SeccompCondition::new(0, Dword, Ne, rede as u64));
        let outra_rede = SeccompRule::new(outra_rede.into_iter().collect::<Result<_, _>>()?)?;
        let bloco_grande = SeccompRule::new(vec![SeccompCondition::new(1, Qword, Gt, BLOCO)?])?;
        let recusas = [
            (SYS_memfd_create, vec![]),
            // Por ele se pedem as outras, sem que o filtro as veja.
            (SYS_io_uring_setup, vec![]),
            (SYS_shmget, vec![bloco_grande]),
            (SYS_socket, vec![outra_rede]),
        ];
        let de_x32 = recusas.clone().map(|(chamada, _)| (chamada | X32, vec![]));
        SeccompFilter::new(
            recusas.into_iter().chain(de_x32).collect(),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS as u32),
            std::env::consts::ARCH.try_into()?,
        )?
        .try_into()
    }
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod testes {
    use super::*;

    #[test]
    fn ha_um_filtro_nesta_maquina() {
        assert!(abrir_com_filtro().contains("--seccomp"));
    }
}
